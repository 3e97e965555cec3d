#include "experiment/train_request.h"

#include "experiment/taken_options.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/model/parts.h"

namespace tsrun::experiment {

namespace {

using nlohmann::json;

/// Refuses options that nothing would read.
void require_use(const Options& given, const TrainRequest& request) {
  const auto refuse = [](const char* option, const char* why) {
    user_error("train: nothing reads option '{}': {}; expected it left out", option, why);
  };
  if (!given.flag("hold") && !request.zero) refuse("hold", "no weights are zeroed (zero)");
  require_rows_read(given, "train");
  if (given.flag("fresh") && given.integer("reinit_layers") > 0) refuse("reinit_layers", "all weights are random (fresh)");
  if (given.text("geometry_of") != "input_embeddings" && given.integer("geometry_every") == 0)
    refuse("geometry_of", "no geometry is measured (geometry_every)");
  if (given.flag("compact") && !request.scope) refuse("compact", "there is no scope with masks (scope)");
  if (request.within && given.has("train") && !request.model().adapted())
    refuse("train", "beside a subspace, ts.within says which of embeddings, pooler and head are trained");
  if (request.within && request.within->reach && given.text("optim") != "adamw")
    user_error(
        "train: lr = \"reach\" counts on steps that the learning rate bounds, as AdamW's; found optim = \"{}\"; expected lr as a number",
        given.text("optim"));
  if (request.within) return;
  if (given.has("lr_embeddings") && !request.trains("embeddings")) refuse("lr_embeddings", "the embeddings are not trained");
  if (given.has("lr_head") && !request.trains("head") && !request.trains("pooler")) refuse("lr_head", "neither pooler nor head is trained");
}

bool has_reach_of(const Options& within) { return within.has("reach_of"); }

void take_reach_of(const json& given, Within& within) {
  if (given.is_number()) {
    within.reach_length = given.get<double>();
    if (*within.reach_length <= 0) user_error("train: tune: option 'reach_of' is {}, expected a length above 0", given.dump());
    return;
  }
  if (given.value("artifact", json()) != "trajectory")
    user_error("train: tune: option 'reach_of' is {}, expected a trajectory or a length",
               given.contains("artifact") ? "an artifact of kind " + given["artifact"].get<std::string>() : "a table");
  within.reach_of = TrajectoryRef::from_json(given);
}

void take_reach(const Options& o, Within& within) {
  if (has_reach_of(o)) take_reach_of(o.value("reach_of"), within);
  if (o.value("lr").is_number()) {
    within.lr = o.number("lr");
    if (o.number("reach") != 1) user_error("train: tune: nothing reads option 'reach': lr is a number; expected lr = \"reach\" beside it");
    return;
  }
  if (o.text("lr") != "reach")
    user_error("train: tune: option 'lr' is '{}', expected a number or \"reach\"{}", o.text("lr"),
               did_you_mean(o.text("lr"), std::vector<std::string>{"reach"}));
  within.reach = o.number("reach");
  if (!within.has_distance())
    user_error(
        "train: tune: lr = \"reach\", but no trajectory is behind a basis of '{}'; expected 'reach_of', a trajectory or the length of "
        "the update, or lr as a number",
        within.basis.title());
}

/// The options with what the model says of those that were left open.
Options completed(const Options& given, const ModelRef& model) {
  json values = given.json();
  const auto fill = [&](const char* name, const json& value) {
    if (!given.has(name)) values[name] = value;
  };
  fill("lr", model.defaults.lr);
  fill("lr_embeddings", values["lr"]);
  fill("lr_head", values["lr"]);
  fill("epochs", model.defaults.epochs);
  fill("train", model.adapted() ? json::array({"delta", "head"}) : json(own_part_names()));
  return Options(values);
}

}  // namespace

std::optional<Within> Within::from(const json& given) {
  if (given.is_null()) return std::nullopt;
  const Options o = within_options().resolve(given, "train: tune");
  Within within{.basis = BasisRef::from_json(o.value("subspace")),
                .init = o.number("init"),
                .ensemble = o.integer("ensemble"),
                .embeddings = o.flag("embeddings"),
                .pooler = o.flag("pooler"),
                .head = o.flag("head"),
                .options = o};
  take_reach(o, within);
  return within;
}

json Within::to_key() const {
  json key = options.json();
  if (reach_of) key["reach_of"] = reach_of->identity();
  if (!has_reach_of(options)) key.erase("reach_of");  // no part of the keys of trainings without it
  if (!reach) key.erase("reach");
  key["subspace"] = basis.identity();
  return key;
}

std::optional<Record> Record::from(json given) {
  if (given.is_null()) return std::nullopt;
  if (given.value("every", json()) == "epoch") given["every"] = 0;
  const Options o = record_options().resolve(given, "train: record");
  return Record{.every = o.integer("every"),
                .parameters = parse_selection(o.value("parameters"), "train: record: parameters"),
                .type = o.text("precision") == "bfloat16" ? RowType::bfloat16 : RowType::float32,
                .key = o.json()};
}

TrainRequest TrainRequest::from(const Lab& lab, const Options& given) {
  TrainRequest request;
  request.step_plugins = resolved_step_plugins(lab.plugins(), given.value("select"), given.value("regularize"), "train");
  request.task = TaskRef::from_json(given.value("task"));
  request.initial.model = ModelRef::from_json(given.value("model"));
  request.options = completed(given, request.model());
  request.parts = request.options.texts("train");
  check_parts(request.parts, "train: option 'train'");
  request.zero = given_ref<MaskRef>(given, "zero");
  request.held = given_ref<MaskRef>(given, "held");
  request.scope = given_ref<ScopeRef>(given, "scope");
  request.within = Within::from(given.value("tune"));
  require_use(given, request);
  request.task.require(request.options.text("eval_split"));
  request.initial.seed = given.integer("seed");
  request.initial.fresh = given.flag("fresh");
  request.initial.reinit_layers = given.integer("reinit_layers");
  if (request.initial.reinit_layers > 0 && request.model().path)
    check_reinit_layers(*plain_family(request.model(), {}), request.initial.reinit_layers);
  request.initial.origin = resolved_origin(given.value("origin"), "train");
  request.record = Record::from(given.value("record"));
  return request;
}

/// Options that were not given are not in it.
StageKey TrainRequest::key() const {
  json inputs = options.json();
  inputs.update({{"model", model().identity()}, {"task", task.identity()}});
  for (const char* name : {"select", "regularize", "cache_memory"}) inputs.erase(name);
  const OptionTable table = training_options();
  for (const char* name : {"compact", "cache_prefix", "stratify", "rows_seed", "dropout", "reinit_layers", "geometry_every", "geometry_of"})
    if (inputs.at(name) == table.find(name)->fallback) inputs.erase(name);  // no part of the keys of trainings without them
  if (zero) inputs["zero"] = zero->identity();
  if (held) inputs["held"] = held->identity();
  if (scope) inputs["scope"] = scope->identity();
  for (const StepPluginRequest& plugin : step_plugins) inputs["plugins"].push_back(plugin.to_json());
  if (within) {
    inputs["tune"] = within->to_key();
    inputs["coordinates"] = "last and best";  // what is kept of them
  }
  if (record) inputs["record"] = record->key;
  if (initial.origin) inputs["origin"] = initial.origin->identity();
  return {"train", {{"options", inputs}}};
}

}  // namespace tsrun::experiment
