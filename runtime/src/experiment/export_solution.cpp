#include "experiment/export_solution.h"

#include "experiment/handles.h"
#include "experiment/peft.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/log.h"
#include "tsrun/train/train.h"
#include "tsrun/tune/merge.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>

namespace tsrun {
namespace {

using nlohmann::json;

constexpr int64_t kMeasuredRows = 32;
constexpr double kMergeTolerance = 1e-3;

/// The first rows of a split, as the model reads them in training.
PackedBatch measured_rows(const Task& task, const std::string& split, const Model& model) {
  const EncodeOptions options = encode_options_for(*model.family, reading_options().resolve(json::object(), "export"));
  Split few = task.split(split);
  few.examples.resize(std::min<size_t>(few.examples.size(), kMeasuredRows));
  const EncodedSplit rows = encode_split(task, few, *model.tokenizer, options);
  std::vector<int64_t> all(rows.rows.size());
  std::iota(all.begin(), all.end(), 0);
  return to_device(pack(rows, all), model.family->head(), at::kCPU);
}

at::Tensor logits_of(const Family& family, const Weights& weights, const PackedBatch& batch) {
  const at::NoGradGuard no_grad;
  return family.forward(weights, batch, {}).logits;
}

double largest_distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

/// How far the merged model's logits are from those of the model with its deltas.
json measure_merge(const Setting& setting, const Family& plain, const Merged& merged) {
  const std::string split = setting.task.splits.contains("dev") ? "dev" : setting.task.splits.begin()->first;
  const PackedBatch rows = measured_rows(setting.task, split, setting.model);
  const at::Tensor before = logits_of(*setting.model.family, merged.unmerge(), rows);
  const double float32 = largest_distance(logits_of(plain, merged.weights(), rows), before);
  const double bfloat16 = largest_distance(logits_of(plain, rounded_to_bfloat16(merged.weights()), rows), before);
  return {{"split", split},
          {"rows", rows.rows()},
          {"largest_logit", before.abs().max().item<double>()},
          {"distance", {{"float32", float32}, {"bfloat16", bfloat16}}}};
}

void report_merge(const json& report, const std::filesystem::path& to) {
  const double float32 = report.at("distance").at("float32"), largest = report.at("largest_logit");
  log_info("{}: merging moves logits by {:.2e} at most (bfloat16: {:.2e}; the largest is {:.2f}), on {} rows of {}", to.string(), float32,
           report.at("distance").at("bfloat16").get<double>(), largest, report.at("rows").get<int64_t>(),
           report.at("split").get<std::string>());
  if (float32 > kMergeTolerance * std::max(1.0, largest))
    log_warning("{}: that is more than rounding; deltas that act on one map in turn may not be what their merged weights are", to.string());
}

json export_merged(Lab& lab, const json& handle, const Setting& setting, const std::filesystem::path& to) {
  Model plain = model_of(handle, setting.model.family->head(), Key::root(0));
  plain.labels = setting.model.labels;
  const auto deltas = deltas_of(lab.plugins(), handle, *plain.family);
  const Merged merged(deltas, setting.model.weights);
  for (const auto& info : plain.family->parameters()) plain.weights.set(info.name, merged.weights().at(info.name));
  json report = measure_merge(setting, *plain.family, merged);
  report["deltas"] = handle.value("deltas", json::array());
  report["changed"] = merged.changed();
  report_merge(report, to);
  save_model(plain, to);
  write_durable(to / "merge.json", report.dump(2) + "\n");
  return {{"path", to.string()}, {"merge", report}};
}

/// Parameters of the model itself that are neither the delta's nor the head's and are not what they were when the folder was loaded:
/// trained beside, or drawn because the folder lacks them (a pooler).
std::vector<std::string> moved_parameters(const Setting& setting, const Weights& before) {
  std::vector<std::string> moved;
  const auto& trained = setting.trained_parameters;
  for (const ParameterInfo& info : setting.model.family->parameters()) {
    if (info.part == Part::delta || info.part == Part::head) continue;
    if (std::find(trained.begin(), trained.end(), info.name) != trained.end()) continue;
    const auto& drawn = setting.model.initialised;
    const bool lacked = std::find(drawn.begin(), drawn.end(), info.name) != drawn.end();
    if (lacked || !at::equal(before.at(info.name), setting.model.weights.at(info.name))) moved.push_back(info.name);
  }
  return moved;
}

/// What a recipe sees where nothing is written.
json planned_export(const std::string& form, const std::filesystem::path& to) {
  json result = {{"path", to.string()}};
  if (form == "merged") result["merge"] = {{"rows", 0}, {"largest_logit", 0.0}, {"distance", {{"float32", 0.0}, {"bfloat16", 0.0}}}};
  return result;
}

}  // namespace

json export_solution(Lab& lab, const json& solution, const std::string& form, const std::filesystem::path& to) {
  if (lab.settings().plan_only) return planned_export(form, to);
  const json& handle = solution.at("model");
  Setting setting = setting_of(lab, solution.at("task"), handle, Key::root(0));
  const Weights before = setting.model.weights;
  const Weights last = solution_weights(lab, solution, "last", *setting.model.family);
  for (const auto& name : last.names()) setting.model.weights.set(name, last.at(name));
  if (form == "merged") return export_merged(lab, handle, setting, to);
  const json deltas = handle.value("deltas", json::array());
  if (deltas.size() != 1) user_error("export: the training's model has {} deltas, expected one, as a folder of PEFT has", deltas.size());
  save_peft(lab.plugins(), deltas[0], setting.model, handle.value("spec", ""), to, moved_parameters(setting, before));
  return {{"path", to.string()}};
}

}  // namespace tsrun
