#include "experiment/decode_request.h"

#include "experiment/summaries.h"
#include "tsrun/base/error.h"
#include "tsrun/train/reading.h"

namespace tsrun::experiment {

namespace {

using nlohmann::json;

/// Options of both operations.
OptionTable decoding_options() {
  OptionTable table = {
      {.name = "basis", .type = OptionType::artifact, .doc = "basis that decodes z", .required = true, .choices = {"subspace"}},
      {.name = "model", .type = OptionType::artifact, .doc = "model of the decoded weights", .required = true, .choices = {"model"}},
      {.name = "task", .type = OptionType::artifact, .doc = "from ts.task", .required = true, .choices = {"task"}},
      {.name = "origin",
       .type = OptionType::table,
       .doc = "parts of θ0 that come from other trainings: {solution or solutions, which, parts}"},
      {.name = "seed",
       .type = OptionType::integer,
       .doc = "of a new head and of deltas without a seed of their own; absent: that of the training z, else 1",
       .minimum = 0},
      {.name = "split", .type = OptionType::text, .fallback = "dev", .doc = "split to evaluate on"},
  };
  return table.include(text_options());
}

/// Numbers of a recipe, as many as the basis has dimensions. @throws Error(user) naming `where`
std::vector<float> vector_of(const json& list, const BasisRef& basis, const std::string& where) {
  std::vector<float> z;
  for (const json& number : list) {
    if (!number.is_number()) user_error("{}: expected numbers, found {}", where, number.dump());
    z.push_back(number.get<float>());
  }
  if (!basis.planned && static_cast<int64_t>(z.size()) != basis.dim)
    user_error("{}: {} numbers, but the basis has {} dimensions", where, z.size(), basis.dim);
  return z;
}

void require_coordinates(const TrainingRef& found, const BasisRef& basis) {
  if (!found.subspace) user_error("z: this training moved in full space, expected one within a basis (tune = ts.within(…))");
  if (found.planned || basis.planned) return;
  if (found.coordinates.value_or(0) != basis.dim)
    user_error("z: the training has {} coordinates, but the basis has {} dimensions", found.coordinates.value_or(0), basis.dim);
}

}  // namespace

OptionTable decode_options() {
  OptionTable table = decoding_options();
  table.add(
      {.name = "which", .type = OptionType::choice, .fallback = "best", .doc = "coordinates of the training", .choices = {"best", "last"}});
  return table.add(bootstrap_option(1000));
}

OptionTable scan_options() {
  OptionTable table = decoding_options();
  table.add({.name = "points", .type = OptionType::list, .doc = "list of points, each a list of numbers", .required = true});
  return table.add({.name = "rows",
                    .type = OptionType::integer,
                    .fallback = 0,
                    .doc = "number of rows of the split, chosen as in ts.train; 0: all",
                    .minimum = 0});
}

OptionTable z_option(const json& arguments) {
  const json z = arguments.value("z", json());
  Option option{.name = "z",
                .type = OptionType::list,
                .doc = "training within a basis of the same dimension, or a list of numbers",
                .required = true};
  if (z.is_object() && !z.empty()) option.type = OptionType::artifact, option.choices = {"train"};
  return {option};
}

DecodingRequest DecodingRequest::from(const Options& o, int64_t seed, const char* where) {
  DecodingRequest request{.basis = BasisRef::from_json(o.value("basis")),
                          .task = TaskRef::from_json(o.value("task")),
                          .initial = {ModelRef::from_json(o.value("model")), o.has("seed") ? o.integer("seed") : seed, false,
                                      resolved_origin(o.value("origin"), where)},
                          .split = o.text("split"),
                          .rows = o.has("rows") ? o.integer("rows") : 0,
                          .options = o};
  request.task.require(request.split);
  return request;
}

json DecodingRequest::inputs() const {
  json inputs = options.json();
  inputs.update({{"basis", basis.identity()},
                 {"model", initial.model.identity()},
                 {"task", task.identity()},
                 {"origin", identity(initial.origin)},
                 {"seed", initial.seed}});
  return inputs;
}

DecodeRequest DecodeRequest::from(const Options& o) {
  const json& z = o.value("z");
  DecodeRequest request;
  if (z.is_object()) request.training = TrainingRef::from_json(z);
  request.decoding = DecodingRequest::from(o, request.training ? request.training->seed : 1, "decode");
  if (request.training) {
    require_coordinates(*request.training, request.decoding.basis);
  } else {
    request.numbers = vector_of(z, request.decoding.basis, "z");
  }
  request.which = o.text("which");
  request.bootstrap = o.integer("bootstrap");
  return request;
}

StageKey DecodeRequest::key() const {
  json inputs = decoding.inputs();
  if (training) inputs["z"] = training->identity();
  return {"evaluation", {{"decode", {{"options", inputs}}}}};
}

ScanRequest ScanRequest::from(const Options& o) {
  ScanRequest request{.decoding = DecodingRequest::from(o, 1, "scan"), .points = {}};
  const json& points = o.value("points");
  for (size_t i = 0; i < points.size(); ++i) {
    if (!points[i].is_array() && !(points[i].is_object() && points[i].empty()))
      user_error("points[{}]: expected a list of numbers, found {}", i + 1, points[i].dump());
    request.points.push_back(vector_of(points[i], request.decoding.basis, fmt::format("points[{}]", i + 1)));
  }
  return request;
}

}  // namespace tsrun::experiment
