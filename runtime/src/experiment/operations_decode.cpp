#include "experiment/joint.h"
#include "experiment/start.h"
#include "experiment/summaries.h"

#include <ATen/Functions.h>

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/log.h"
#include "tsrun/train/effects.h"
#include "tsrun/train/train.h"
#include "tsrun/tune/flat_buffer.h"

#include <numeric>

/// The operations `decode` and `scan`: weights θ0 + V z for coordinates that are given, scored without any training.
namespace tsrun {

namespace {

using nlohmann::json;

/// What both operations say of the model and of what is read.
OptionTable decoding_options() {
  OptionTable table = {
      {.name = "basis", .type = OptionType::artifact, .doc = "that decodes", .required = true, .choices = {"subspace"}},
      {.name = "model", .type = OptionType::artifact, .doc = "whose weights are decoded", .required = true, .choices = {"model"}},
      {.name = "task", .type = OptionType::artifact, .doc = "from ts.task", .required = true, .choices = {"task"}},
      {.name = "origin", .type = OptionType::table, .doc = "parts of θ0 that come from another training: {solution, which, parts}"},
      {.name = "seed",
       .type = OptionType::integer,
       .doc = "draws a head and first values that no seed of ts.adapt has drawn; absent: as the training of z, else 1",
       .minimum = 0},
      {.name = "split", .type = OptionType::text, .fallback = "dev", .doc = "split that is evaluated"},
  };
  return table.include(reading_options());
}

OptionTable decode_options() {
  OptionTable table = decoding_options();
  table.add(
      {.name = "which", .type = OptionType::choice, .fallback = "best", .doc = "of a training's coordinates", .choices = {"best", "last"}});
  return table.add(bootstrap_option(1000));
}

/// z is a training or a list: what it is says what its option takes.
OptionTable z_option(Lab&, const json& arguments) {
  const json z = arguments.value("z", json());
  Option option{.name = "z", .type = OptionType::list, .doc = "a training within a basis of as many numbers, or numbers", .required = true};
  if (z.is_object() && !z.empty()) option.type = OptionType::artifact, option.choices = {"train"};
  return {option};
}

bool is_planned(const json& handle) { return handle.value("planned", false); }

int64_t dim_of(const json& basis) { return basis.value("dim", int64_t{0}); }

void require_numbers(const json& list, const json& basis, const std::string& where) {
  for (const json& number : list)
    if (!number.is_number()) user_error("{}: expected numbers, found {}", where, number.dump());
  if (!is_planned(basis) && static_cast<int64_t>(list.size()) != dim_of(basis))
    user_error("{}: {} numbers, but the basis has {} dimensions", where, list.size(), dim_of(basis));
}

void require_coordinates(const json& found, const json& basis) {
  if (!found.contains("subspace")) user_error("z: this training moved in full space, expected one within a basis (tune = ts.within(…))");
  if (is_planned(found) || is_planned(basis)) return;
  const auto dims = found.at("binding").at("subspace").at("dims").get<std::vector<int64_t>>();
  const int64_t dim = std::accumulate(dims.begin(), dims.end(), int64_t{0});
  if (dim != dim_of(basis)) user_error("z: the training has {} coordinates, but the basis has {} dimensions", dim, dim_of(basis));
}

at::Tensor as_vector(const json& numbers) {
  at::Tensor z = at::empty({static_cast<int64_t>(numbers.size())});
  for (size_t i = 0; i < numbers.size(); ++i) z.mutable_data_ptr<float>()[i] = numbers[i].get<float>();
  return z;
}

at::Tensor coordinates_of(Lab& lab, const json& found, const std::string& which) {
  const auto path = folder_of(lab, found) / "coordinates.safetensors";
  const SafetensorsFile file = SafetensorsFile::open(path);
  const char* name = which == "best" ? "z_best" : "z";
  const TensorInfo* z = file.find(name);
  if (!z) data_error("{}: holds no '{}'", path.string(), name);
  return as_float32(*z).clone();
}

/// A basis and θ0, set up once for many z.
class Decoder {
 public:
  Decoder(Lab& lab, const Options& o, const Start& start)
      : lab_(lab), setting_(starting_setting(lab, o.value("task"), start)), basis_(subspace_of(lab, o.value("basis"))) {
    const Layout& layout = basis_->parameters().layout;
    check_layout(layout, *setting_.model.family, "the basis");
    check_joint_start(lab, o.value("basis"), *basis_, setting_.model);
    origin_ = flatten(setting_.model.weights, layout);
    for (const std::string& name : setting_.model.weights.names())
      weights_.set(name, setting_.model.weights.at(name).to(lab.settings().device));
    limit_rows(setting_.task, o.text("split"), o.has("rows") ? o.integer("rows") : 0);
    require_read(o, setting_.task);
    exam_ = make_exam(setting_.model, setting_.task, o.text("split"), o);
  }
  const Task& task() const { return setting_.task; }
  const Exam& exam() const { return exam_; }

  /// θ0 + V z exactly as a training within the basis composes it.
  Evaluation evaluate(const at::Tensor& z, Predictions* predictions) {
    const at::Tensor theta = origin_.clone();
    basis_->expand(z, theta);
    const at::Device device = lab_.settings().device;
    const Weights decoded = unflatten(theta.to(device), basis_->parameters().layout);
    for (const std::string& name : decoded.names()) weights_.set(name, decoded.at(name));
    return tsrun::evaluate(*setting_.model.family, weights_, exam_, device, predictions);
  }

 private:
  Lab& lab_;
  Setting setting_;
  std::shared_ptr<const Subspace> basis_;
  at::Tensor origin_;
  Exam exam_;
  Weights weights_;  ///< on the device
};

Start start_for(const Options& o, const char* where) {
  const json z = o.value("z");
  const int64_t of_training = z.is_object() ? z.at("seed").get<int64_t>() : 1;
  return {o.value("model"), o.has("seed") ? o.integer("seed") : of_training, false, resolved_origin(o.value("origin"), where)};
}

/// Identities of the handles, and everything else as it is.
json decode_key(const Options& o, const Start& start) {
  json inputs = o.json();
  for (const char* name : {"basis", "model", "task"}) inputs[name] = identity(o.value(name));
  if (o.value("z").is_object()) inputs["z"] = identity(o.value("z"));
  inputs["origin"] = origin_key(start.origin);
  inputs["seed"] = start.seed;
  return {{"options", inputs}};
}

json run_decode(Lab& lab, const Options& o) {
  const json &z = o.value("z"), &basis = o.value("basis"), &task = o.value("task");
  const bool found = z.is_object();
  if (found) require_coordinates(z, basis);
  if (!found) require_numbers(z, basis, "z");
  const Start start = start_for(o, "decode");
  const StageKey key{"evaluation", {{"decode", decode_key(o, start)}}};
  const std::string title = lab.title_of("decode " + basis.value("member", basis.value("method", "")), start.seed);
  const auto plan = EvaluationSummary::planned(task.at("metric"), o.integer("bootstrap"));
  const json handle = lab.stage(key, title, plan.to_json(), [&](const auto&, const auto&) {
    Decoder decoder(lab, o, start);
    const at::Tensor at = found ? coordinates_of(lab, z, o.text("which")) : as_vector(z);
    Predictions predictions;
    const Evaluation evaluation = decoder.evaluate(at, &predictions);
    const EvaluationSummary summary{.score = Score::of(evaluation, decoder.task()),
                                    .metric = decoder.task().metrics.front(),
                                    .interval = interval_of(decoder.exam(), predictions, o.integer("bootstrap"))};
    return summary.to_json();
  });
  return untrained(handle, o.value("model"), task, start.seed);
}

OptionTable scan_options() {
  OptionTable table = decoding_options();
  table.add({.name = "points", .type = OptionType::list, .doc = "lists of numbers, each a z", .required = true});
  return table.add({.name = "rows",
                    .type = OptionType::integer,
                    .fallback = 0,
                    .doc = "rows of the split that are used, the same as those of ts.train; 0: all",
                    .minimum = 0});
}

/// Scores of the points; those of an attempt that was stopped are not computed again.
json scan(Lab& lab, const Options& o, const Start& start, const std::string& title, const std::filesystem::path& work) {
  Decoder decoder(lab, o, start);
  const json& points = o.value("points");
  const auto kept = work / "scores.json";
  json scores = std::filesystem::exists(kept) ? read_json(kept) : json::array();
  Progress progress(title, static_cast<int64_t>(points.size()), "points");
  progress.advance(static_cast<int64_t>(scores.size()));
  while (scores.size() < points.size()) {
    if (interrupted()) write_durable(kept, scores.dump());
    check_interrupt();
    const Evaluation evaluation = decoder.evaluate(as_vector(points[scores.size()]), nullptr);
    scores.push_back(evaluation.metrics.at(decoder.task().metrics.front()));
    progress.advance();
  }
  return scores;
}

json run_scan(Lab& lab, const Options& o) {
  const json& points = o.value("points");
  for (size_t i = 0; i < points.size(); ++i) {
    if (!points[i].is_array() && !(points[i].is_object() && points[i].empty()))
      user_error("points[{}]: expected a list of numbers, found {}", i + 1, points[i].dump());
    require_numbers(points[i], o.value("basis"), fmt::format("points[{}]", i + 1));
  }
  const Start start = start_for(o, "scan");
  const StageKey key{"scan", decode_key(o, start)};
  const std::string member = o.value("basis").value("member", o.value("basis").value("method", ""));
  const std::string title = lab.title_of(fmt::format("scan {} at {} points", member, points.size()));
  json handle = lab.stage(
      key, title, {{"scores", std::vector<double>(points.size(), 0.0)}},
      [&](const auto&, const auto& work) {
        return json{{"scores", scan(lab, o, start, title, work)}};
      },
      static_cast<double>(points.size()));
  handle["metric"] = o.value("task").at("metric");
  return handle;
}

}  // namespace

std::vector<Operation> decoding_operations() {
  return {
      {.name = "decode",
       .doc = "Scores the weights that a basis makes of coordinates, without training. z is a training within this basis or within "
              "another one "
              "of as many dimensions (the same numbers, decoded here: transfer), or a list of numbers. The result has an interval {low, "
              "high}.",
       .options = decode_options(),
       .run = run_decode,
       .more = z_option,
       .named = true},
      {.name = "scan",
       .doc = "Scores the weights that a basis makes of many points, for landscapes.",
       .options = scan_options(),
       .run = run_scan,
       .named = true}};
}

}  // namespace tsrun
