#include "experiment/initial_weights.h"
#include "experiment/stored.h"
#include "experiment/summaries.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/effects.h"
#include "tsrun/train/train.h"

#include <algorithm>

/// The operation `low_rank`: a full fine-tuning's update as the factors of a LoRA, for joint spaces. No published method: Yi et al. (2022)
/// train fine-tuning's part of the space by another scheme.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

OptionTable low_rank_options() {
  OptionTable table = {
      {.name = "solution",
       .type = OptionType::artifact,
       .doc = "training of the whole model, with keep = \"all\"",
       .required = true,
       .choices = {"train"}},
      {.name = "model",
       .type = OptionType::artifact,
       .doc = "the same model with a delta of low-rank factors, from ts.adapt",
       .required = true,
       .choices = {"model"}},
      {.name = "split", .type = OptionType::text, .fallback = "dev", .doc = "split to evaluate on"},
  };
  return table.include(text_options());
}

std::vector<LowRankFactors> factors_of(const Delta& delta) {
  const auto all = delta.low_rank_factors();
  if (all.empty()) user_error("low_rank: the model's delta has no low-rank factors; expected one that has, such as LoRA's");
  for (const LowRankFactors& map : all)
    if (!(map.scale > 0)) user_error("low_rank: the update of '{}' is scaled by {}, expected more than 0", map.weight, map.scale);
  return all;
}

/// Sums of squares: of the update, of its part on adapted maps, of the part in the factors.
struct Energy {
  double update = 0, maps = 0, kept = 0;
};

double energy_of(const at::Tensor& x) { return x.square().sum().item<double>(); }

/// The best factors in the sense of least squares (Eckart & Young 1936), balanced: A = √(S/s) Vᵀ, B = U √(S/s).
void write_factors(const LowRankFactors& map, const at::Tensor& update, Weights& weights, Energy& energy) {
  const auto [u, s, v] = at::linalg_svd((map.transposed ? update.t() : update).to(at::kDouble), /*full_matrices=*/false);
  const at::Tensor kept = s.narrow(0, 0, map.rank), root = (kept / map.scale).sqrt();
  weights.set(map.a, (root.unsqueeze(1) * v.narrow(0, 0, map.rank)).to(at::kFloat).contiguous());
  weights.set(map.b, (u.narrow(1, 0, map.rank) * root).to(at::kFloat).contiguous());
  energy.maps += energy_of(s);
  energy.kept += energy_of(kept);
}

struct Coded {
  Weights weights;
  Energy energy;
};

/// The adapted model with the factors of `tuned`; pooler and head are copied where no factors hold them.
Coded coded(const Model& adapted, const std::vector<LowRankFactors>& maps, const Model& plain, const Weights& tuned) {
  Coded result{adapted.weights, {}};
  for (const LowRankFactors& map : maps) {
    if (!at::equal(adapted.weights.at(map.weight), plain.weights.at(map.weight)))
      user_error("low_rank: '{}' does not start where the training did: expected a delta that leaves the model's weights as they are",
                 map.weight);
    write_factors(map, tuned.at(map.weight) - plain.weights.at(map.weight), result.weights, result.energy);
  }
  for (const ParameterInfo& info : plain.family->parameters()) {
    const bool is_coded = std::any_of(maps.begin(), maps.end(), [&](const auto& map) { return map.weight == info.name; });
    if (!is_coded && (info.part == Part::pooler || info.part == Part::head)) {
      result.weights.set(info.name, tuned.at(info.name));
    } else {
      result.energy.update += energy_of((tuned.at(info.name) - plain.weights.at(info.name)).to(at::kDouble));
    }
  }
  return result;
}

/// Shares that the factors keep: of the update of adapted maps, and of the whole update.
struct Shares {
  double of_maps = 0, of_update = 0;

  static Shares of(const Energy& energy) { return {share(energy.kept, energy.maps), share(energy.kept, energy.update)}; }
  json to_json() const { return {{"of_maps", of_maps}, {"of_update", of_update}}; }

 private:
  static double share(double part, double whole) { return whole > 0 ? part / whole : 1; }
};

/// The factors as a training, and the shares of the update that they keep.
struct LowRankSummary {
  TrainSummary training;
  Shares best, last;
  ModelRef model;  ///< for `tsrun predict`, as ts.train has it

  json to_json() const {
    json result = training.to_json();
    result["energy"] = {{"best", best.to_json()}, {"last", last.to_json()}};
    result["model"] = model.to_json();
    return result;
  }
};

struct LowRankRequest {
  TrainingRef solution;
  ModelRef model;  ///< with the delta
  std::string split;
  Options options;  ///< all of them

  static LowRankRequest from(const Options& o);
  StageKey key() const;
};

LowRankRequest LowRankRequest::from(const Options& o) {
  LowRankRequest request{TrainingRef::from_json(o.value("solution")), ModelRef::from_json(o.value("model")), o.text("split"), o};
  const TrainingRef& solution = request.solution;
  if (request.model.deltas.size() != 1) user_error("option 'model' has {} deltas, expected one", request.model.deltas.size());
  if (solution.model.adapted()) user_error("option 'solution' trained a delta, expected a training of the model's own weights");
  if (solution.model.spec != request.model.spec)
    user_error("the training is of \"{}\", but the adapted model of \"{}\"", solution.model.spec, request.model.spec);
  solution.task.require(request.split);
  if (solution.keep != "all") user_error("the training kept not all of its weights: train it with keep = \"all\"");
  return request;
}

StageKey LowRankRequest::key() const {
  json inputs = options.json();
  inputs.update({{"solution", solution.identity()}, {"model", model.identity()}});
  return {"train", {{"low_rank", inputs}}};
}

LowRankSummary low_rank_into(Lab& lab, const LowRankRequest& request, const std::filesystem::path& out) {
  const TrainingRef& solution = request.solution;
  const TaskModel plain = initial_task_model(lab, solution.task, InitialWeights::of(solution));
  const TaskModel adapted = initial_task_model(lab, solution.task, {request.model, solution.seed});
  const Model bare = model_of(request.model, adapted.model.family->head(), Key::root(0));
  const auto maps = factors_of(*attached(lab.plugins(), request.model.deltas, *bare.family).at(0));
  require_read(request.options, adapted.task);
  const EvaluationSet evaluation_set = make_evaluation_set(adapted.model, adapted.task, request.split, request.options);
  LowRankSummary summary;
  summary.training.metric = adapted.task.metrics.front();
  const auto write = [&](const char* which, Score& score, Shares& shares) {
    const Coded code = coded(adapted.model, maps, plain.model, solution_weights(lab, solution, which, *plain.model.family));
    save_weights(code.weights, out / (std::string(which) + ".safetensors"));
    score = Score::of(evaluate(*adapted.model.family, code.weights, evaluation_set, lab.settings().device), adapted.task);
    shares = Shares::of(code.energy);
  };
  write("last", summary.training.last, summary.last);
  write("best", summary.training.best, summary.best);
  int64_t numbers = 0;
  for (const LowRankFactors& map : maps) numbers += adapted.model.weights.at(map.a).numel() + adapted.model.weights.at(map.b).numel();
  summary.training.trainable = summary.training.degrees_of_freedom = numbers;
  summary.training.bytes_shipped = static_cast<int64_t>(sizeof(float)) * numbers;
  summary.model = request.model;
  return summary;
}

json run_low_rank(Lab& lab, const Options& o) {
  const LowRankRequest request = LowRankRequest::from(o);
  const TrainingRef& solution = request.solution;
  LowRankSummary plan;
  plan.training.metric = solution.task.metric;
  plan.model = request.model;
  auto code = ref_to<TrainingRef>(lab.stage(request.key(), lab.title_of("low-rank code of an update", solution.seed), plan.to_json(),
                                            [&](const auto& out, const auto&) { return low_rank_into(lab, request, out).to_json(); }));
  code.model = request.model;
  code.task = solution.task;
  code.seed = solution.seed;
  code.keep = "all";
  return code.to_json();
}

}  // namespace

}  // namespace experiment

std::vector<Operation> low_rank_operations() {
  return {{.name = "low_rank",
           .doc =
               "Writes the update of a full fine-tuning as the low-rank factors of a delta on the same model (truncated singular value "
               "decomposition), as if the delta had been trained. `energy` is the share of the update that they keep. No published method.",
           .options = experiment::low_rank_options(),
           .result = "train",
           .run = experiment::run_low_rank,
           .named = true}};
}

}  // namespace tsrun
