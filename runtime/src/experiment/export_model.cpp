#include "experiment/export_model.h"

#include "experiment/peft.h"
#include "experiment/stored.h"
#include "experiment/task_model.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/log.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/train.h"
#include "tsrun/tune/merge.h"

#include <algorithm>
#include <numeric>

namespace tsrun::experiment {
namespace {

using nlohmann::json;

constexpr int64_t kMeasuredRows = 32;
constexpr double kMergeTolerance = 1e-3;

/// The first rows of a split, as the model reads them in training.
PackedBatch measured_rows(const Task& task, const std::string& split, const Model& model) {
  const EncodeOptions options = encode_options_for(*model.family, text_options().resolve(json::object(), "export"));
  Split few = task.split(split);
  few.examples.resize(std::min<size_t>(few.examples.size(), kMeasuredRows));
  const EncodedSplit rows = encode_split(task, few, *model.tokenizer, options);
  std::vector<int64_t> all(rows.rows.size());
  std::iota(all.begin(), all.end(), 0);
  return to_device(pack_batch(rows, all), model.family->head(), at::kCPU);
}

at::Tensor logits_of(const Family& family, const Weights& weights, const PackedBatch& batch) {
  const at::NoGradGuard no_grad;
  return family.forward(weights, batch, {}).logits;
}

double largest_distance(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

/// Largest distances between the logits of the merged model and of the model with its deltas.
struct MergeReport {
  std::string split;
  int64_t rows = 0;
  double largest_logit = 0;
  double float32 = 0, bfloat16 = 0;  ///< by the type of the merged weights
  std::vector<DeltaRef> deltas;
  std::vector<std::string> changed;  ///< parameters

  json to_json() const;
};

json MergeReport::to_json() const {
  json report = {{"split", split},
                 {"rows", rows},
                 {"largest_logit", largest_logit},
                 {"distance", {{"float32", float32}, {"bfloat16", bfloat16}}},
                 {"deltas", json::array()},
                 {"changed", changed}};
  for (const DeltaRef& delta : deltas) report["deltas"].push_back(delta.to_json());
  return report;
}

MergeReport measure_merge(const TaskModel& loaded, const Family& plain, const Merged& merged) {
  MergeReport report;
  report.split = loaded.task.splits.contains("dev") ? "dev" : loaded.task.splits.begin()->first;
  const PackedBatch rows = measured_rows(loaded.task, report.split, loaded.model);
  const at::Tensor before = logits_of(*loaded.model.family, merged.unmerge(), rows);
  report.rows = rows.rows();
  report.largest_logit = before.abs().max().item<double>();
  report.float32 = largest_distance(logits_of(plain, merged.weights(), rows), before);
  report.bfloat16 = largest_distance(logits_of(plain, rounded_to_bfloat16(merged.weights()), rows), before);
  report.changed = merged.changed();
  return report;
}

void tell(const MergeReport& report, const std::filesystem::path& to) {
  log_info("{}: merging moves logits by {:.2e} at most (bfloat16: {:.2e}; the largest is {:.2f}), on {} rows of {}", to.string(),
           report.float32, report.bfloat16, report.largest_logit, report.rows, report.split);
  if (report.float32 > kMergeTolerance * std::max(1.0, report.largest_logit))
    log_warning("{}: that is more than rounding; deltas that act on one map in turn may not be what their merged weights are", to.string());
}

MergeReport export_merged(Lab& lab, const ModelRef& ref, const TaskModel& loaded, const std::filesystem::path& to) {
  Model plain = model_of(ref, loaded.model.family->head(), Key::root(0));
  plain.labels = loaded.model.labels;
  const Merged merged(attached(lab.plugins(), ref.deltas, *plain.family), loaded.model.weights);
  for (const auto& info : plain.family->parameters()) plain.weights.set(info.name, merged.weights().at(info.name));
  MergeReport report = measure_merge(loaded, *plain.family, merged);
  report.deltas = ref.deltas;
  tell(report, to);
  save_model(plain, to);
  write_durable(to / "merge.json", report.to_json().dump(2) + "\n");
  return report;
}

/// Parameters outside delta and head that differ from the loaded folder: trained ones, and new ones that the folder lacks (a pooler).
std::vector<std::string> moved_parameters(const TaskModel& loaded, const Weights& before) {
  std::vector<std::string> moved;
  const auto& trained = loaded.trained_parameters;
  for (const ParameterInfo& info : loaded.model.family->parameters()) {
    if (info.part == Part::delta || info.part == Part::head) continue;
    if (std::find(trained.begin(), trained.end(), info.name) != trained.end()) continue;
    const auto& drawn = loaded.model.initialised;
    const bool lacked = std::find(drawn.begin(), drawn.end(), info.name) != drawn.end();
    if (lacked || !at::equal(before.at(info.name), loaded.model.weights.at(info.name))) moved.push_back(info.name);
  }
  return moved;
}

void export_peft(Lab& lab, const ModelRef& ref, const TaskModel& loaded, const Weights& before, const std::filesystem::path& to) {
  if (ref.deltas.size() != 1)
    user_error("export: the training's model has {} deltas, expected one, as a folder of PEFT has", ref.deltas.size());
  save_peft(lab.plugins(), ref.deltas.front(), loaded.model, ref.spec, to, moved_parameters(loaded, before));
}

}  // namespace

json export_model(Lab& lab, const TrainingRef& solution, const std::string& form, const std::filesystem::path& to) {
  json result = {{"path", to.string()}};
  MergeReport report;
  if (!lab.settings().plan_only) {
    TaskModel loaded = task_model_of(lab.plugins(), solution.task, solution.model, Key::root(0));
    const Weights before = loaded.model.weights;
    loaded.model.weights = weights_with_solution(lab, solution, "last", loaded.model);
    if (form == "merged") report = export_merged(lab, solution.model, loaded, to);
    if (form == "peft") export_peft(lab, solution.model, loaded, before, to);
  }
  if (form == "merged") result["merge"] = report.to_json();
  return result;
}

}  // namespace tsrun::experiment
