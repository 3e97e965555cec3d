#include "tsrun/lua/recipe.h"

#include "lua/state.h"
#include "tsrun/experiment/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

/// Stubs for the Lua language server and the reference page. Both come from the same option tables that validate a call.
namespace tsrun {

const std::vector<RecipeHelper>& recipe_helpers() {
  static const std::vector<RecipeHelper> all = {
      {"arguments",
       {{"declared", "table"}},
       "table",
       "Declares the arguments of --set: name = { default, doc, choices, min, max, unit }. The type follows the default."},
      {"seeds", {{"count", "integer"}}, "integer[]", "`count` seeds from --seed on: 1, 2, 3 by default."},
      {"every", {{"period", "\"epoch\"|integer"}}, "table", "Period of a recording: an epoch, or a number of steps."},
      {"within",
       {{"basis", "table"}, {"options?", "table"}},
       "table",
       "Trains inside a subspace, as ts.train{ tune = … }; options are those of tune."},
      {"schedule",
       {{"name", "string"}, {"options?", "table"}},
       "table",
       "A selector plugin that chooses the trained parameters during a training, as ts.train{ select = … }."},
      {"regularizer",
       {{"name", "string"}, {"options?", "table"}},
       "table",
       "A regulariser plugin, as an element of ts.train{ regularize = { … } }."},
      {"sweep",
       {{"grid", "table<string, any[]>"}, {"body", "fun(at: table): any"}},
       "any[]",
       "Runs `body` at every point of the grid (axes by name, the last one fastest) and returns its results in grid order. A stage that "
       "another "
       "process computes lets the next point run."},
      {"report",
       {{"title", "string"}},
       "table",
       "Collects tables and figures for the run's page; saved at the end of the recipe at the latest. Options: model, task, split, folder. "
       "Methods: "
       ":row(variant, result, section), :note(text), :figure{ name, caption, kind = dots | lines | positions | bars | scatter, x_label, "
       "y_label, "
       "log_x, log_y, frontier, series, "
       "horizontal_lines }, :table(caption, { columns, rows, digits, note }) for any other table (a cell is a text, a number, a list of "
       "numbers, which becomes mean ± deviation, { mean, std, n }, or nil), :landscape(caption, { panels = { { name, values } }, x = { "
       "min, "
       "max }, y = { min, max }, points = { { name, x, y } }, threshold, label }) for heat maps over one plane (a row of values for every "
       "y, "
       "the lowest first), :heat_map(caption, { columns, rows, values, digits, x_label, y_label }) for a number of every pair of names, "
       ":resources(sections) to print the page's table of time and memory, :cost(caption, sections) for a figure of "
       "score against "
       "the measured time of a "
       "step, :spectrum(caption, { name = basis "
       "}), :positions(caption, outliers, { sigmas }), :shares(caption, { name = "
       "outliers }), :layers(caption, { name = scope }) for the numbers by layer that selectors chose by, "
       ":outliers(name, outliers), :save()."},
      {"claim",
       {{"options", "table"}},
       "nil",
       "States what a report's rows should show: { text, source, better | not_worse | no_different = a variant, than = another, by = "
       "margin, "
       "score = \"last\" | \"best\", level = 0.95, section, moot, report = the last one }. The page begins with the verdict, supported, "
       "contradicted or open, by Student's interval over the differences of seeds that both rows have; with one seed it is open, and so "
       "is a claim with a reason why it is moot. Claims that follow one another with the same section stand under its name."},
      {"lr_search",
       {{"options", "table"}},
       "table",
       "Learning rates with the highest mean score over seeds, the first of equals: { lr = { … }, lr_head = { … }, seeds = { … }, run = "
       "function(rates, seed) … end }. Axes: lr, lr_embeddings, lr_head, lr_coordinates (lr of ts.within) and reach (multiples of lr = "
       "\"reach\"); all combinations, or grid after grid of a list of such tables, each beside what the one before it picked. score = "
       "\"last\" | \"best\"; split = \"dev\", never the test split. Rates at which a training diverges lose; it is an error where all do. "
       "widen = 1: a list whose best rate is its end grows there by the factor between its last two, so often at most. "
       "Returns rates, picked (in words), steps, trainings, edges, diverged and "
       "note. ts.train{ …, lr_search = { … } } does it over its own options and its own seed (or `seeds`), and its row shows what was "
       "picked "
       "and the steps it took."},
      {"random",
       {{"name", "string"}},
       "table",
       "A random generator seeded by --seed and `name`: :uniform(), :integer(low, high), :shuffle(list)."},
      {"intrinsic_dimension",
       {{"options", "table"}},
       "table",
       "The smallest dimension at which training within a subspace reaches a share of full fine-tuning's score, searched by growth and "
       "bisection, with a 95 % interval by a bootstrap over seeds and rows (docs/methods/intrinsic_dimension.md). Options: model, task, "
       "method = name or { name, d_min, d_max, rates, per_layer, trajectory, points, within, options of ts.discover }, share = 0.9, "
       "above = \"zero\" | \"majority\", score = \"last\" | \"best\", seeds = 3 or a list, rates = { 0.1, 0.03, 0.01 } or a function of d "
       "(an element may be a table of options of ts.within, and of lr_head and lr_embeddings: { reach = 1 }), head_rates = { … } (picked "
       "first, for full fine-tuning and every dimension), d_min = 1, d_max = 1024, growth = 4, precision = 0.05 (of the bracket), past = 1 "
       "(points beyond), within = options of ts.within, train = options of every training, full = those of full fine-tuning with rates, "
       "freeze = true or those of the frozen encoder's training with rates (d = 0), bootstrap = 1000. Result: d90, total, interval "
       "{ low, high }, text, bracket, curve, full, freeze, target, violations, trainings, train_loss and gap_order (the terms of the "
       "compression bound)."},
      {"log", {{"text", "string"}, {"...", "any"}}, "nil", "Writes to standard error, with string.format."},
  };
  return all;
}

namespace {

/// "basis, options"
std::string parameter_names(const RecipeHelper& helper) {
  std::string names;
  for (const auto& [name, type] : helper.parameters)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name.substr(0, name.ends_with('?') ? name.size() - 1 : name.size()));
  return names;
}

/// Names of the types that an option takes beside its own.
std::vector<std::string> other_types(const Option& option) {
  const bool names_types = option.type != OptionType::choice && option.type != OptionType::artifact;
  return names_types ? option.choices : std::vector<std::string>();
}

std::string lua_type_of(const Option& option) {
  switch (option.type) {
    case OptionType::boolean:
      return "boolean";
    case OptionType::integer:
      return "integer";
    case OptionType::number:
      return "number";
    case OptionType::text:
      return "string";
    case OptionType::list:
      return "any[]";
    case OptionType::choice:
      break;
    default:
      return "table";
  }
  std::string choices;
  for (const auto& choice : option.choices) choices += fmt::format("{}\"{}\"", choices.empty() ? "" : "|", choice);
  return choices;
}

std::string lua_type(const Option& option) {
  std::string text = lua_type_of(option);
  for (const std::string& other : other_types(option)) text += "|" + (other == "text" ? "string" : other == "list" ? "any[]" : other);
  return text;
}

std::string class_stub(const std::string& name, const OptionTable& options) {
  std::string text = fmt::format("---@class ts.{}_options\n", name);
  for (const auto& option : options.all())
    text += fmt::format("---@field {}{} {} {}\n", option.name, option.required ? "" : "?", lua_type(option), option.doc);
  return text;
}

std::string helper_stub(const RecipeHelper& helper) {
  std::string text = fmt::format("--- {}\n", helper.doc);
  for (const auto& [name, type] : helper.parameters) text += fmt::format("---@param {} {}\n", name, type);
  text += fmt::format("---@return {}\nfunction ts.{}({}) end\n\n", helper.result, helper.name, parameter_names(helper));
  return text;
}

/// "tokenizer" of "tokenizer.train"; "": none.
std::string group_of(const std::string& operation) {
  const size_t dot = operation.find('.');
  return dot == std::string::npos ? "" : operation.substr(0, dot);
}

std::string default_text(const Option& option) {
  if (option.required) return "required";
  if (option.fallback.is_null()) return "";
  return fmt::format("`{}`", option.fallback.dump());
}

std::string range_text(const Option& option) {
  if (option.minimum && option.maximum) return fmt::format("{} to {}", *option.minimum, *option.maximum);
  if (option.minimum) return fmt::format("at least {}", *option.minimum);
  if (option.maximum) return fmt::format("at most {}", *option.maximum);
  std::string text;
  if (!other_types(option).empty()) return text;
  for (const auto& choice : option.choices) text += fmt::format("{}`{}`", text.empty() ? "" : ", ", choice);
  return text;
}

std::string option_rows(const OptionTable& options) {
  if (options.all().empty()) return "No options.\n\n";
  std::string text = "| option | type | default | range | |\n| --- | --- | --- | --- | --- |\n";
  for (const auto& option : options.all()) {
    const auto unit = option.unit.empty() ? "" : fmt::format(" ({})", option.unit);
    std::string type(name_of(option.type));
    for (const std::string& other : other_types(option)) type += " or " + other;
    text += fmt::format("| `{}` | {}{} | {} | {} | {} |\n", option.name, type, unit, default_text(option), range_text(option), option.doc);
  }
  text += "\n";
  return text;
}

/// "Returns: `train`.", with a link
std::string returns(const Operation& operation) {
  return operation.result.empty() ? "" : fmt::format("Returns: [`{}`](#{}-a-result).\n\n", operation.result, operation.result);
}

std::string result_section() {
  std::string text =
      "## Results\n\nTables that operations return. Those of artifacts also have `artifact`, their kind; `key`, which names them in the "
      "store; and, in a plan, `planned`. A field that says nothing about a result is absent, which reads as `nil`; a name that is no field "
      "is an error.\n\n";
  for (const ResultKind& kind : result_kinds()) {
    text += fmt::format("### `{}`, a result\n\n{}{}\n\n| field | |\n| --- | --- |\n", kind.name, kind.doc,
                        kind.open ? " Plugins add fields of their own." : "");
    for (const ResultField& field : kind.fields) text += fmt::format("| `{}` | {} |\n", field.name, field.doc);
    text += "\n";
  }
  return text;
}

std::string lua_result(const Operation& operation) { return operation.result.empty() ? "table" : "ts." + operation.result + "_result"; }

std::string result_stub(const ResultKind& kind) {
  std::string text = fmt::format("--- {}\n---@class ts.{}_result\n", kind.doc, kind.name);
  for (const std::string_view name : kind.names()) text += fmt::format("---@field {}? any\n", name);
  return text + "\n";
}

}  // namespace

std::string RecipeHelper::call() const { return fmt::format("ts.{}({})", name, parameter_names(*this)); }

std::vector<Operation> recipe_operations(const Lab& lab) {
  std::vector<Operation> seen;
  std::copy_if(lab.operations().begin(), lab.operations().end(), std::back_inserter(seen), [](const Operation& operation) {
    return std::ranges::none_of(recipe_helpers(), [&](const RecipeHelper& helper) { return helper.name == operation.name; });
  });
  return seen;
}

std::string lua_stubs(const Lab& lab) {
  std::string text = "---@meta\n-- Written by `tsrun describe --stubs`; do not edit.\n\nlocal ts = {}\n\n";
  for (const auto& helper : recipe_helpers()) text += helper_stub(helper);
  for (const auto& kind : result_kinds()) text += result_stub(kind);
  std::string last_group;
  for (const auto& operation : recipe_operations(lab)) {
    const std::string group = group_of(operation.name);
    if (!group.empty() && group != last_group) text += fmt::format("ts.{} = {{}}\n\n", group);
    last_group = group;
    text += class_stub(operation.name, operation.options);
    text += fmt::format("\n--- {}\n---@param options ts.{}_options\n---@return {}\nfunction ts.{}(options) end\n\n", operation.doc,
                        operation.name, lua_result(operation), operation.name);
  }
  text += "return ts\n";
  return text;
}

std::string reference_page(const Lab& lab) {
  std::string text = std::string(lua::embedded_file("recipes_head.md")) + "## Helpers\n\n";
  for (const auto& helper : recipe_helpers()) text += fmt::format("### `{}`\n\n{}\n\n", helper.call(), helper.doc);
  text += "## Operations\n\n";
  for (const auto& operation : recipe_operations(lab))
    text += fmt::format("### `ts.{}`\n\n{}\n\n{}{}", operation.name, operation.doc, option_rows(operation.options), returns(operation));
  text += result_section() + "## Plugins\n\n";
  for (const auto& plugin : lab.plugins().plugins())
    text += fmt::format("### `{}` ({}, version {})\n\n{}\n\n{}", plugin.name, plugin.kind, plugin.version, plugin.doc,
                        option_rows(lab.plugins().options_of(plugin.name)));
  return text;
}

}  // namespace tsrun
