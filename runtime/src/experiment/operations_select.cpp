#include "experiment/start.h"
#include "experiment/step_plugins.h"
#include "experiment/taken_options.h"

#include "tsrun/base/error.h"

/// The operation `select`: a scope that a selector chooses before any training, shared by seeds.
namespace tsrun {
namespace {

using nlohmann::json;

OptionTable selection_options() {
  return {
      {.name = "method", .type = OptionType::text, .doc = "name of a selector plugin", .required = true},
      {.name = "model", .type = OptionType::artifact, .doc = "from ts.model or ts.adapt", .required = true, .choices = {"model"}},
      {.name = "task", .type = OptionType::artifact, .doc = "decides the model's head", .required = true, .choices = {"task"}},
      {.name = "seed",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "of methods that draw random numbers, and of fresh weights",
       .minimum = 0},
  };
}

/// Elements that the scope leaves trained, of all.
json counts_of(const Scope& scope, const Family& family) {
  int64_t all = 0, trained = 0;
  for (const ParameterInfo& info : family.parameters()) {
    const Scope::Entry entry = scope.entry(info);
    int64_t numbers = 1;
    for (const int64_t size : info.shape) numbers *= size;
    all += numbers;
    if (entry.trained) trained += entry.mask.defined() ? entry.mask.sum().item<int64_t>() : numbers;
  }
  return {{"parameters", all}, {"trained", trained}};
}

json choose_into(Lab& lab, const SelectorMethod& method, const Options& own, const Options& o, const std::filesystem::path& out) {
  const Setting setting = starting_setting(lab, o.value("task"), {o.value("model"), o.integer("seed")});
  const Family& family = *setting.model.family;
  const Key key = Key::root(static_cast<uint64_t>(o.integer("seed"))).split("select").split(method.name());
  const auto choice = method.choose({family, setting.model.weights, key}, own);
  if (!choice)
    user_error("select: '{}' chooses during a training only; expected select = ts.schedule(\"{}\", …) of ts.train", method.name(),
               method.name());
  choice->scope.check(family, "selector " + method.name());
  if (!choice->scope.restricts(family)) user_error("select: '{}' freezes nothing and masks nothing", method.name());
  save_scope(choice->scope, choice->table, out);
  json summary = counts_of(choice->scope, family);
  summary["table"] = choice->table;
  return summary;
}

json run_select(Lab& lab, const Options& o) {
  const SelectorMethod& method = lab.plugins().selector(o.text("method"));
  const Options own = taken_options(method.options(), o);
  const json inputs = {
      {"method", method.name()},           {"version", method.version()}, {"options", own.json()}, {"model", identity(o.value("model"))},
      {"task", identity(o.value("task"))}, {"seed", o.integer("seed")}};
  json handle = lab.stage({"scope", {{"inputs", inputs}}}, lab.title_of("select " + method.name(), o.integer("seed")),
                          json{{"parameters", 0}, {"trained", 0}, {"table", json::object()}},
                          [&](const auto& out, const auto&) { return choose_into(lab, method, own, o, out); });
  handle["method"] = method.name();
  return handle;
}

OptionTable selector_options(Lab& lab, const json& arguments) {
  const auto method = arguments.find("method");
  if (method == arguments.end() || !method->is_string()) return {};
  return lab.plugins().selector(method->get<std::string>()).options();
}

}  // namespace

std::vector<Operation> selection_operations() {
  return {{.name = "select",
           .doc = "Chooses what is trained, before any training, by a selector plugin.",
           .options = selection_options(),
           .run = run_select,
           .more = selector_options,
           .named = true}};
}

}  // namespace tsrun
