#include "app/verbs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/suggest.h"
#include "tsrun/lua/recipe.h"

#include <sstream>

/// Verbs that show what there is: plugins, describe.
namespace tsrun {
namespace {

Lab planning_lab(const Command& command) {
  auto settings = command.lab;
  settings.plan_only = true;
  return Lab(settings);
}

/// The comment that a recipe begins with.
std::string opening_comment(const std::string& recipe) {
  std::istringstream lines(read_text(recipe));
  std::string text;
  for (std::string line; std::getline(lines, line) && line.starts_with("--");) text += line.substr(std::min<size_t>(line.size(), 3)) + "\n";
  return text;
}

std::string described(const std::string& heading, const std::string& doc, const OptionTable& options) {
  const auto table = options.all().empty() ? std::string("no options\n") : options.describe();
  return fmt::format("{}\n{}{}\n{}{}", heading, doc, doc.ends_with('\n') ? "" : "\n", table, table.ends_with('\n') ? "" : "\n");
}

std::string describe_named(const Lab& lab, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& plugin : lab.plugins().plugins()) {
    if (plugin.name == name)
      return described(fmt::format("{}  ({}, version {}, {})", name, plugin.kind, plugin.version, plugin.file.string()), plugin.doc,
                       lab.plugins().options_of(name));
    known.push_back(plugin.name);
  }
  for (const auto& operation : lab.operations()) {
    if (operation.name == name) return described("ts." + name, operation.doc, operation.options);
    known.push_back(operation.name);
  }
  user_error("nothing is named '{}'{}; name a plugin (tsrun plugins), an operation ({}) or a recipe's file", name,
             did_you_mean(name, known), join_words(known));
}

}  // namespace

void list_plugins(const Command& command) {
  const Lab lab = planning_lab(command);
  std::string text;
  for (const auto& plugin : lab.plugins().plugins())
    text +=
        fmt::format("{:<20}{:<12} {:>3}  {}\n{:20}{}\n", plugin.name, plugin.kind, plugin.version, plugin.doc, "", plugin.file.string());
  if (text.empty()) {
    text = "no plugins; searched:\n";
    for (const auto& folder : PluginHost::search_path(command.lab.plugins)) text += fmt::format("  {}\n", folder.string());
  }
  print(text);
}

void describe(const Command& command) {
  Lab lab = planning_lab(command);
  if (command.stubs) return print(lua_stubs(lab));
  if (command.reference) return print(reference_page(lab));
  const auto& name = command.operands.front();
  if (name.ends_with(".lua")) return print(described(name, opening_comment(name), recipe_arguments(lab, name)));
  print(describe_named(lab, name));
}

}  // namespace tsrun
