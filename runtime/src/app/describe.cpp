#include "app/described.h"
#include "app/peft_methods.h"
#include "app/verbs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/log.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/builtin.h"
#include "tsrun/lua/recipe.h"
#include "tsrun/train/pretrain.h"

#include <sstream>

/// The verbs plugins and describe.
namespace tsrun::app {
namespace {

using nlohmann::json;

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

/// Everything that has options, but for recipes.
std::vector<Described> all_described(const Lab& lab) {
  std::vector<Described> all;
  for (const auto& plugin : lab.plugins().plugins())
    all.push_back({plugin.name, plugin.kind, plugin.doc, plugin.version, plugin.file.string(), lab.plugins().options_of(plugin.name)});
  for (const auto& verb : verbs())
    if (auto options = set_options(verb.name)) all.push_back({verb.name, "verb", verb.doc, 0, "", std::move(*options)});
  for (const auto& operation : recipe_operations(lab))
    all.push_back({operation.name, "operation", operation.doc, operation.version, "", operation.options, operation.result});
  for (const auto& helper : recipe_helpers())
    all.push_back({.name = std::string(helper.name), .kind = "helper", .doc = std::string(helper.doc), .call = helper.call()});
  return all;
}

Described described_recipe(Lab& lab, const std::string& file) {
  return {file, "recipe", opening_comment(file), 0, file, recipe_arguments(lab, file)};
}

bool is_of_ts(const Described& one) { return one.kind == "operation" || one.kind == "helper"; }

/// Everything of this name, a verb before an operation; ts.NAME is the operation alone.
std::vector<Described> find_described(Lab& lab, const std::string& name) {
  if (name.ends_with(".lua")) return {described_recipe(lab, name)};
  std::vector<std::string> known;
  std::vector<Described> found;
  for (auto& one : all_described(lab)) {
    if (one.name == name || (is_of_ts(one) && "ts." + one.name == name)) found.push_back(one);
    known.push_back(is_of_ts(one) && name.starts_with("ts.") ? "ts." + one.name : one.name);
  }
  if (!found.empty()) return found;
  user_error("nothing is named '{}'{}; expected a plugin, a function of ts, a verb, a recipe's file, or deltas (tsrun describe lists all)",
             name, did_you_mean(name, known));
}

/// As recipes name them.
std::vector<std::string> builtin(const std::vector<std::string>& names) {
  std::vector<std::string> all;
  for (const auto& name : names) all.push_back("builtin:" + name);
  return all;
}

/// Names of the built-in tasks, those of language modelling included.
std::vector<std::string> builtin_tasks() {
  std::vector<std::string> names = builtin_task_names();
  names.insert(names.end(), builtin_text_names().begin(), builtin_text_names().end());
  return builtin(names);
}

std::string overview(const std::vector<Described>& all) {
  std::string text = "Verbs (tsrun NAME … --set OPTION=VALUE)\n" + lines_of(all, {"verb"});
  text += "\nOperations (ts.NAME in a recipe)\n" + lines_of(all, {"operation"});
  text += "\nHelpers (ts.NAME in a recipe)\n" + lines_of(all, {"helper"});
  text += "\nPlugins\n" + lines_of(all, {"subspace", "joint", "delta", "selector", "regularizer"});
  text += "\nBuilt-in models\n" + name_lines(builtin(builtin_model_names())) + "\nBuilt-in tasks\n" + name_lines(builtin_tasks());
  return text +
         "\ntsrun describe NAME shows the options; NAME may be a recipe's file too. tsrun describe deltas: which of PEFT's methods there "
         "are.\n";
}

json overview_json(const std::vector<Described>& all) {
  json list = json::array();
  for (const auto& one : all) list.push_back(json_of(one));
  return {{"described", list}, {"models", builtin(builtin_model_names())}, {"tasks", builtin_tasks()}};
}

}  // namespace

void list_plugins(const Command& command) {
  const Lab lab = planning_lab(command);
  json list = json::array();
  std::string text;
  for (const auto& plugin : lab.plugins().plugins()) {
    list.push_back(
        {{"name", plugin.name}, {"kind", plugin.kind}, {"version", plugin.version}, {"doc", plugin.doc}, {"file", plugin.file.string()}});
    text +=
        fmt::format("{:<26}{:<12} {:>3}  {}\n{:26}{}\n", plugin.name, plugin.kind, plugin.version, plugin.doc, "", plugin.file.string());
  }
  for (const auto& refused : lab.plugins().refused()) {
    list.push_back({{"file", refused.file.string()}, {"refused", refused.reason}});
    text += fmt::format("refused: {}\n", refused.reason);
  }
  if (lab.plugins().plugins().empty()) {
    text += "no plugins; searched:\n";
    for (const auto& folder : PluginHost::search_path(command.lab.plugins)) text += fmt::format("  {}\n", folder.string());
  }
  command.json ? print_json(list) : print_result(text);
}

void describe(const Command& command) {
  Lab lab = planning_lab(command);
  if (command.stubs) return print_result(lua_stubs(lab));
  if (command.reference) return print_result(reference_page(lab));
  if (command.operands.empty()) {
    const auto all = all_described(lab);
    return command.json ? print_json(overview_json(all)) : print_result(overview(all));
  }
  if (command.operands.front() == "deltas") {
    const auto rows = delta_rows(lab.plugins());
    return command.json ? print_json(json_of(rows)) : print_result(text_of(rows));
  }
  const auto found = find_described(lab, command.operands.front());
  if (command.json) return print_json(json_of(found.front()));
  std::string text;
  for (const auto& one : found) text += (text.empty() ? "" : "\n") + text_of(one);
  print_result(text);
}

}  // namespace tsrun::app
