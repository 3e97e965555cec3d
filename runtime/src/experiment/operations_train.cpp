#include "experiment/joint.h"
#include "experiment/start.h"
#include "experiment/step_plugins.h"
#include "experiment/summaries.h"
#include "experiment/taken_options.h"

#include "tsrun/base/error.h"

#include "tsrun/base/log.h"
#include "tsrun/base/suggest.h"
#include "tsrun/model/parts.h"
#include "tsrun/train/train.h"

#include <algorithm>
#include <cmath>

/// The operation `train`: full space, within a subspace, or parts of a model only, with or without masks.
namespace tsrun {

namespace {

using nlohmann::json;

/// What `tune = ts.within(basis, {…})` may say.
OptionTable within_options() {
  return {
      {.name = "subspace", .type = OptionType::artifact, .doc = "basis that the layers move in", .required = true, .choices = {"subspace"}},
      {.name = "lr", .type = OptionType::number, .fallback = 0.01, .doc = "learning rate of the coordinates", .minimum = 0},
      {.name = "init",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "standard deviation of the coordinates' first values; 0 starts at the origin",
       .minimum = 0},
      {.name = "ensemble",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "copies of the coordinates that are averaged (the paper: 16)",
       .minimum = 1,
       .maximum = 1024},
      {.name = "embeddings",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "train the embeddings beside the coordinates (the paper does)"},
      {.name = "pooler", .type = OptionType::boolean, .fallback = true, .doc = "train the pooler"},
      {.name = "head", .type = OptionType::boolean, .fallback = true, .doc = "train the head"},
  };
}

OptionTable record_options() {
  return {
      {.name = "every",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "steps between points; 0: every epoch",
       .minimum = 0,
       .unit = "steps"},
      {.name = "parameters",
       .type = OptionType::table,
       .fallback = json{{"parts", {"encoder", "decoder"}}},
       .doc = "which parameters: parts, layers, patterns, groups"},
      {.name = "precision",
       .type = OptionType::choice,
       .fallback = "float32",
       .doc = "of the rows on disk",
       .choices = {"float32", "bfloat16"}},
  };
}

OptionTable training_options() {
  OptionTable table = {
      {.name = "model", .type = OptionType::artifact, .doc = "from ts.model", .required = true, .choices = {"model"}},
      {.name = "task", .type = OptionType::artifact, .doc = "from ts.task", .required = true, .choices = {"task"}},
      {.name = "seed", .type = OptionType::integer, .fallback = 1, .doc = "decides data order, fresh weights, dropout", .minimum = 0},
      {.name = "train",
       .type = OptionType::list,
       .doc = "parts that are trained; absent: all of them, or delta and head of a model with deltas (and what those train beside)"},
      {.name = "tune", .type = OptionType::table, .doc = "ts.within(basis, {…}): the layers move in a subspace"},
      {.name = "origin", .type = OptionType::table, .doc = "start from another training: {solution, which, parts}"},
      {.name = "fresh", .type = OptionType::boolean, .fallback = false, .doc = "start from random weights instead of the pre-trained ones"},
      {.name = "lr",
       .type = OptionType::number,
       .doc = "learning rate of encoder, decoder and embeddings; absent: the model's default",
       .minimum = 0},
      {.name = "lr_embeddings", .type = OptionType::number, .doc = "learning rate of the embeddings; absent: lr", .minimum = 0},
      {.name = "lr_head", .type = OptionType::number, .doc = "learning rate of pooler and head; absent: lr", .minimum = 0},
      {.name = "weight_decay",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "decoupled, of weights (not of biases and norms)",
       .minimum = 0},
      {.name = "zero", .type = OptionType::artifact, .doc = "mask of weights set to zero before training", .choices = {"mask"}},
      {.name = "hold", .type = OptionType::boolean, .fallback = true, .doc = "zeroed weights stay zero; false: only at the start"},
      {.name = "held", .type = OptionType::artifact, .doc = "mask of weights that keep their pre-trained value", .choices = {"mask"}},
      {.name = "scope", .type = OptionType::artifact, .doc = "from ts.select: of what is trained, less", .choices = {"scope"}},
      {.name = "compact",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "keep gradients and moments of the scope's masked parameters for the chosen entries alone"},
      {.name = "cache_prefix",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "compute the output of the frozen bottom layers once per row, without dropout"},
      {.name = "cache_memory",
       .type = OptionType::number,
       .fallback = 1.0,
       .doc = "memory for cache_prefix, beyond which rows lie on disk",
       .minimum = 0,
       .unit = "GiB"},
      {.name = "select",
       .type = OptionType::table,
       .doc = "ts.schedule(name, {…}), or a list of them: selectors that choose during the training",
       .choices = {"list"}},
      {.name = "regularize", .type = OptionType::list, .doc = "{ts.regularizer(name, {…}), …}: they act in this order"},
      {.name = "record",
       .type = OptionType::table,
       .doc = "record a trajectory: ts.every \"epoch\" or ts.every(50), with parameters and precision"},
      {.name = "eval_split", .type = OptionType::text, .fallback = "dev", .doc = "split that is evaluated"},
      {.name = "rows",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "use only this many training rows, drawn under the seed-independent key; 0: all",
       .minimum = 0},
      {.name = "keep",
       .type = OptionType::choice,
       .fallback = "all",
       .doc = "weights that are kept: all (best, last, mean), last, none",
       .choices = {"all", "last", "none"}},
  };
  const OptionTable trainer = train_options();
  for (Option option : trainer.all()) {
    if (option.name == "epochs") option.fallback = nullptr, option.doc += "; absent: the model's default";
    table.add(option);
  }
  return table;
}

/// The request of one training, resolved to its last option.
struct Request {
  Options options, within, record;
  Start start;
  json step_plugins = json::array();  ///< resolved
  json key_inputs;
  bool tuned = false, recorded = false;
};

/// Refuses options that nothing would read. `parts` are those that are trained.
void require_use(const Options& given, const std::vector<std::string>& parts) {
  const auto refuse = [](const char* option, const char* why) {
    user_error("train: nothing reads option '{}': {}; expected it left out", option, why);
  };
  const auto trained = [&](const char* part) { return std::find(parts.begin(), parts.end(), part) != parts.end(); };
  if (!given.flag("hold") && !given.has("zero")) refuse("hold", "no weights are zeroed (zero)");
  if (given.flag("compact") && !given.has("scope")) refuse("compact", "there is no scope with masks (scope)");
  if (given.has("tune") && given.has("train") && !given.value("model").contains("deltas"))
    refuse("train", "beside a subspace, ts.within says which of embeddings, pooler and head are trained");
  if (given.has("tune")) return;
  if (given.has("lr_embeddings") && !trained("embeddings")) refuse("lr_embeddings", "the embeddings are not trained");
  if (given.has("lr_head") && !trained("head") && !trained("pooler")) refuse("lr_head", "neither pooler nor head is trained");
}

Request resolve(const Lab& lab, const Options& given) {
  Request request;
  request.step_plugins = resolved_step_plugins(lab.plugins(), given.value("select"), given.value("regularize"), "train");
  json values = given.json();
  const json& defaults = given.value("model").at("defaults");
  const auto fill = [&](const char* name, const json& value) {
    if (values.value(name, json()).is_null()) values[name] = value;
  };
  fill("lr", defaults.at("lr"));
  fill("lr_embeddings", values["lr"]);
  fill("lr_head", values["lr"]);
  fill("epochs", defaults.at("epochs"));
  const bool adapted = given.value("model").contains("deltas");
  fill("train", adapted ? json::array({"delta", "head"}) : json(own_part_names()));
  request.options = Options(values);
  check_parts(request.options.texts("train"), "train: option 'train'");
  require_use(given, request.options.texts("train"));
  request.tuned = given.has("tune");
  request.recorded = given.has("record");
  request.start = {given.value("model"), given.integer("seed"), given.flag("fresh"), resolved_origin(given.value("origin"), "train")};
  if (request.tuned) request.within = within_options().resolve(given.value("tune"), "train: tune");
  if (request.recorded) {
    json record = given.value("record");
    if (record.value("every", json()) == "epoch") record["every"] = 0;
    request.record = record_options().resolve(record, "train: record");
  }
  if (request.recorded) parse_selection(request.record.value("parameters"), "train: record: parameters");

  json inputs = values;
  for (const char* name : {"model", "task", "zero", "held"}) {
    if (given.has(name)) inputs[name] = identity(given.value(name));
  }
  for (const char* name : {"select", "regularize", "scope", "cache_memory"}) inputs.erase(name);
  for (const char* name : {"compact", "cache_prefix"})
    if (!given.flag(name)) inputs.erase(name);  // no part of the keys of trainings without them
  if (!request.step_plugins.empty()) inputs["plugins"] = request.step_plugins;
  if (given.has("scope")) inputs["scope"] = identity(given.value("scope"));
  if (request.tuned) {
    inputs["tune"] = request.within.json();
    inputs["tune"]["subspace"] = identity(request.within.value("subspace"));
    inputs["coordinates"] = "last and best";  // what is kept of them
  }
  if (request.recorded) inputs["record"] = request.record.json();
  if (given.has("origin")) inputs["origin"] = origin_key(request.start.origin);
  request.key_inputs = {{"options", inputs}};
  return request;
}

TuneOptions tune_options(Lab& lab, const Request& request) {
  const Options& o = request.options;
  TuneOptions tune;
  tune.lr = o.number("lr");
  tune.lr_embeddings = o.number("lr_embeddings");
  tune.lr_head = o.number("lr_head");
  tune.weight_decay = o.number("weight_decay");
  tune.hold_zero = o.flag("hold");
  if (o.has("zero")) tune.zeroed = mask_of(lab, o.value("zero"));
  if (o.has("held")) tune.held = mask_of(lab, o.value("held"));
  if (request.tuned) {
    const Options& w = request.within;
    tune.subspace = subspace_of(lab, w.value("subspace"));
    tune.lr_subspace = w.number("lr");
    tune.init_deviation = w.number("init");
    tune.ensemble = w.integer("ensemble");
  }
  return tune;
}

/// Beside a subspace, `within` says which of a model's own parts are trained; of an adapted model `train` does.
std::set<Part> trained_parts(const Request& request) {
  std::set<Part> parts;
  for (const std::string& name : request.options.texts("train")) parts.insert(parse_part(name, "train: option 'train'"));
  if (!request.tuned) return parts;
  const Options& w = request.within;
  parts.erase(Part::encoder);
  parts.erase(Part::decoder);
  if (!w.flag("head")) parts.erase(Part::head);
  if (request.options.value("model").contains("deltas")) return parts;
  if (!w.flag("embeddings")) parts.erase(Part::embeddings);
  if (!w.flag("pooler")) parts.erase(Part::pooler);
  return parts;
}

/// `also`: parameters that deltas train beside their own.
Scope trained_scope(Lab& lab, const Request& request, const Family& family, const std::vector<std::string>& also,
                    const Subspace* subspace) {
  const Options& o = request.options;
  const std::set<Part> parts = trained_parts(request);
  const Layout* spanned = subspace ? &subspace->parameters().layout : nullptr;
  Scope scope = scope_of_parts(family, parts, parts.contains(Part::delta) ? also : std::vector<std::string>(), spanned);
  if (o.has("scope")) {
    const Scope chosen = scope_of(lab, o.value("scope"));
    chosen.check(family, "train: scope");
    if (!chosen.restricts(family)) user_error("train: the scope freezes nothing and masks nothing");
    scope = intersection(scope, chosen);
  }
  scope.compact = o.flag("compact");
  scope.cache_prefix = o.flag("cache_prefix");
  return scope;
}

void keep_weights(const TrainResult& result, const std::string& keep, const std::filesystem::path& out) {
  if (keep == "none") return;
  save_weights(result.last_weights, out / "last.safetensors");
  if (keep == "all") save_weights(result.best_weights, out / "best.safetensors");
}

/// What the trainer's observers and log left in the work folder becomes part of the artifact.
void move_in(const std::filesystem::path& work, const std::filesystem::path& out) {
  for (const char* name : {"trajectory", "mean.safetensors", "metrics.jsonl"}) {
    if (std::filesystem::exists(work / name)) std::filesystem::rename(work / name, out / name);
  }
}

/// Under Adam with linear decay a coordinate travels at most lr × steps / 2 (tiny_subspaces, 1.11.4). Where that is shorter than the update
/// of the trajectory that the basis came from, the run cannot get there.
std::vector<std::string> reach_warnings(const Subspace& subspace, double lr, int64_t steps) {
  std::vector<std::string> warnings;
  const auto groups = subspace.facts().groups;
  for (size_t g = 0; g < groups.size(); ++g) {
    const double length = groups[g].update_length, dim = static_cast<double>(subspace.dims().at(g));
    const double reach = lr * static_cast<double>(steps) / 2 * std::sqrt(dim);
    if (length > reach) {
      warnings.push_back(
          fmt::format("{}: the coordinates can travel {:.3g} at most, but the trajectory's update is {:.3g} long; raise lr or epochs",
                      subspace.parameters().groups.at(g).name, reach, length));
    }
  }
  return warnings;
}

/// Coordinates up to so many stand in the result, where a recipe can compute with them.
constexpr int64_t kShownCoordinates = 1024;

std::vector<float> listed(const at::Tensor& vector) {
  const at::Tensor host = vector.cpu().contiguous();
  return {host.const_data_ptr<float>(), host.const_data_ptr<float>() + host.numel()};
}

json train_into(Lab& lab, const Request& request, const std::string& title, const std::filesystem::path& out,
                const std::filesystem::path& work) {
  const Options& o = request.options;
  const Key key = Key::root(static_cast<uint64_t>(o.integer("seed")));
  auto [task, model, trained] = starting_setting(lab, o.value("task"), request.start);
  limit_rows(task, "train", o.integer("rows"));

  TrainJob job;
  job.model = &model;
  job.task = &task;
  job.eval_split = o.text("eval_split");
  job.options = taken_options(train_options(), o);
  job.tune = tune_options(lab, request);
  job.tune.scope = trained_scope(lab, request, *model.family, trained, job.tune.subspace.get());
  if (job.tune.subspace) {
    check_joint_start(lab, request.within.value("subspace"), *job.tune.subspace, model);
    const auto rows = static_cast<int64_t>(task.split("train").examples.size());
    const int64_t batch = o.integer("batch_size") * o.integer("gradient_accumulation_steps");
    const auto warnings = reach_warnings(*job.tune.subspace, job.tune.lr_subspace, (rows + batch - 1) / batch * o.integer("epochs"));
    for (const auto& warning : warnings) log_warning("{}: {}", title, warning);
  }
  job.plugins = step_plugins_of(lab.plugins(), request.step_plugins);
  job.key = key;
  job.device = lab.settings().device;
  job.work = work;
  job.cache_memory = static_cast<int64_t>(o.number("cache_memory") * (int64_t{1} << 30));
  job.title = title;
  if (request.recorded) {
    const auto set = select_parameters(*model.family, parse_selection(request.record.value("parameters"), "train: record: parameters"));
    const auto type = request.record.text("precision") == "bfloat16" ? RowType::bfloat16 : RowType::float32;
    const int64_t every = request.record.integer("every");
    job.observers.push_back(make_trajectory_recorder(work / "trajectory", set, type, every));
    job.observers.push_back(make_weight_averager(work / "mean.safetensors", every));
  }
  const TrainResult result = train(std::move(job));
  keep_weights(result, o.text("keep"), out);
  if (result.coordinates.defined()) {
    const at::Tensor z = result.coordinates.cpu().contiguous(), best = result.best_coordinates.cpu().contiguous();
    write_safetensors(out / "coordinates.safetensors", std::vector<TensorInfo>{as_info("z", z), as_info("z_best", best)});
  }
  move_in(work, out);

  json summary = result.description;
  if (result.coordinates.defined() && result.coordinates.numel() <= kShownCoordinates) {
    summary["coordinates"] = {{"last", listed(result.coordinates)}, {"best", listed(result.best_coordinates)}};
  }
  const TrainSummary scores{.best = Score::of(result.best, task),
                            .last = Score::of(result.last, task),
                            .metric = task.metrics.front(),
                            .trainable = summary.at("trainable"),
                            .degrees_of_freedom = summary.at("degrees_of_freedom"),
                            .bytes_shipped = summary.at("bytes_shipped")};
  summary.update(scores.to_json());
  summary["initialised"] = model.initialised;
  summary["model"] = o.value("model");  // where its tokenizer and config are, for `tsrun predict`
  return summary;
}

std::string title_of(const Lab& lab, const Request& request) {
  const Options& o = request.options;
  std::string what = request.tuned ? "train within subspace" : "train";
  if (o.has("scope")) what += fmt::format(", scope of {}", o.value("scope").value("method", "a selector"));
  for (const auto& plugin : request.step_plugins) what += fmt::format(", {}", plugin.at("name").get<std::string>());
  if (o.has("zero")) what += ", weights zeroed";
  if (o.has("held")) what += ", weights held";
  if (!request.start.origin.is_null()) what += ", from another solution";
  const auto parts = o.texts("train");
  for (const auto& delta : o.value("model").value("deltas", json::array()))
    what += fmt::format(" {}", delta.at("method").get<std::string>());
  if (!request.tuned && parts.size() < own_part_names().size() && !o.value("model").contains("deltas"))
    what += fmt::format(" {} only", join_words(parts));
  return lab.title_of(what, o.integer("seed"));
}

/// Rows that the training reads, which is what its time follows.
double work_of(const Options& o) {
  const json train = o.value("task").at("splits").value("train", json::object());
  const int64_t all = train.value("rows", int64_t{1}), limit = o.integer("rows");
  const double rows = static_cast<double>(limit > 0 ? std::min(limit, all) : all);
  const int64_t steps = o.integer("max_steps"), batch = o.integer("batch_size") * o.integer("gradient_accumulation_steps");
  return steps > 0 ? static_cast<double>(steps * batch) : rows * static_cast<double>(o.integer("epochs"));
}

json run_train(Lab& lab, const Options& given) {
  const Request request = resolve(lab, given);
  const StageKey key{"train", request.key_inputs};
  const std::string title = title_of(lab, request);
  TrainSummary plan;
  plan.metric = given.value("task").at("metric");
  json handle = lab.stage(
      key, title, plan.to_json(), [&](const auto& out, const auto& work) { return train_into(lab, request, title, out, work); },
      work_of(request.options));
  handle["model"] = given.value("model");
  handle["task"] = given.value("task");
  handle["seed"] = request.options.integer("seed");
  handle["keep"] = request.options.text("keep");
  if (request.start.fresh || !request.start.origin.is_null())
    handle["start"] = {{"fresh", request.start.fresh}, {"origin", request.start.origin}};
  if (request.tuned) handle["subspace"] = identity(request.within.value("subspace"));
  if (request.recorded) {
    handle["trajectory"] = {{"artifact", "trajectory"}, {"stage", "train"}, {"key", handle.at("key")}, {"model", given.value("model")}};
    if (handle.value("planned", false)) handle["trajectory"]["planned"] = true;
  }
  return handle;
}

}  // namespace

std::vector<Operation> training_operations() {
  return {{.name = "train",
           .doc = "Fine-tunes a model on a task and evaluates it; keeps best and last.",
           .options = training_options(),
           .run = run_train,
           .named = true}};
}

}  // namespace tsrun
