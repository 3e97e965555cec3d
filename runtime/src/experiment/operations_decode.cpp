#include "experiment/decode_request.h"
#include "experiment/joint_solutions.h"
#include "experiment/stored.h"
#include "experiment/summaries.h"

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/log.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/effects.h"
#include "tsrun/train/train.h"
#include "tsrun/tune/flat_buffer.h"

#include <cmath>

/// The operations `decode` and `scan`: score weights θ0 + V z of given coordinates, without training.
namespace tsrun {

using nlohmann::json;

namespace experiment {
namespace {

at::Tensor as_vector(const std::vector<float>& numbers) { return at::tensor(numbers, at::kFloat); }

/// A basis and θ0, set up once for many z.
class Decoder {
 public:
  Decoder(Lab& lab, const DecodingRequest& request)
      : lab_(lab), loaded_(initial_task_model(lab, request.task, request.initial)), basis_(subspace_of(lab, request.basis)) {
    const Layout& layout = basis_->parameters().layout;
    check_layout(layout, *loaded_.model.family, "the basis");
    check_joint_start(lab, request.basis, *basis_, loaded_.model);
    check_dropped_start(lab, request.basis, *basis_, loaded_.model);
    origin_ = flatten(loaded_.model.weights, layout);
    for (const std::string& name : loaded_.model.weights.names())
      weights_.set(name, loaded_.model.weights.at(name).to(lab.settings().device));
    limit_rows(loaded_.task, request.split, request.rows);
    require_read(request.options, loaded_.task);
    evaluation_set_ = make_evaluation_set(loaded_.model, loaded_.task, request.split, request.options);
  }
  const Task& task() const { return loaded_.task; }
  const EvaluationSet& evaluation_set() const { return evaluation_set_; }

  /// θ0 + V z exactly as a training within the basis composes it.
  Evaluation evaluate(const at::Tensor& z, Predictions* predictions) {
    const at::Tensor theta = origin_.clone();
    basis_->expand(z, theta);
    const at::Device device = lab_.settings().device;
    const Weights decoded = unflatten(theta.to(device), basis_->parameters().layout);
    for (const std::string& name : decoded.names()) weights_.set(name, decoded.at(name));
    return tsrun::evaluate(*loaded_.model.family, weights_, evaluation_set_, device, predictions);
  }

 private:
  Lab& lab_;
  TaskModel loaded_;
  std::shared_ptr<const Subspace> basis_;
  at::Tensor origin_;
  EvaluationSet evaluation_set_;
  Weights weights_;  ///< on the device
};

EvaluationSummary decoded(Lab& lab, const DecodeRequest& request) {
  Decoder decoder(lab, request.decoding);
  Predictions predictions;
  const at::Tensor z = request.training ? coordinates_of(lab, *request.training, request.which) : as_vector(request.numbers);
  const Evaluation evaluation = decoder.evaluate(z, &predictions);
  return {.score = Score::of(evaluation, decoder.task()),
          .metric = decoder.task().metrics.front(),
          .interval = interval_of(decoder.evaluation_set(), predictions, request.bootstrap)};
}

json run_decode(Lab& lab, const Options& o) {
  const DecodeRequest request = DecodeRequest::from(o);
  const DecodingRequest& decoding = request.decoding;
  const InitialWeights& initial = decoding.initial;
  const auto plan = EvaluationSummary::planned(decoding.task.metric, request.bootstrap);
  const json handle = lab.stage(request.key(), lab.title_of("decode " + decoding.basis.title(), initial.seed), plan.to_json(),
                                [&](const auto&, const auto&) { return decoded(lab, request).to_json(); });
  json result = untrained(handle, initial.model, decoding.task, initial.seed);
  StepsByTraining steps = decoding.basis.rests_on;
  if (request.training) steps.merge(with_own_steps(*request.training));
  put_steps(result, steps);
  result["split"] = decoding.split;
  put_basis(result, decoding.basis);
  return result;
}

/// Scores of all points, in their order.
struct ScanSummary {
  std::vector<double> scores;  ///< NaN where the metric has no value

  json to_json() const { return {{"scores", scores}}; }
};

/// Scores of an attempt that was stopped are not computed again.
ScanSummary scan(Lab& lab, const ScanRequest& request, const std::string& title, const std::filesystem::path& work) {
  Decoder decoder(lab, request.decoding);
  const auto kept = work / "scores.json";
  ScanSummary summary;
  if (std::filesystem::exists(kept))
    for (const json& score : read_json(kept)) summary.scores.push_back(score.is_null() ? std::nan("") : score.get<double>());
  Progress progress(title, static_cast<int64_t>(request.points.size()), "points");
  progress.advance(static_cast<int64_t>(summary.scores.size()));
  while (summary.scores.size() < request.points.size()) {
    if (interrupted()) write_durable(kept, json(summary.scores).dump());
    check_interrupt();
    const Evaluation evaluation = decoder.evaluate(as_vector(request.points[summary.scores.size()]), nullptr);
    summary.scores.push_back(evaluation.metrics.at(decoder.task().metrics.front()));
    progress.advance();
  }
  return summary;
}

json run_scan(Lab& lab, const Options& o) {
  const ScanRequest request = ScanRequest::from(o);
  const DecodingRequest& decoding = request.decoding;
  const size_t count = request.points.size();
  const std::string title = lab.title_of(fmt::format("scan {} at {} points", decoding.basis.title(), count));
  const ScanSummary plan{std::vector<double>(count, 0.0)};
  json handle = lab.stage(
      request.key(), title, plan.to_json(), [&](const auto&, const auto& work) { return scan(lab, request, title, work).to_json(); },
      static_cast<double>(count));
  handle["metric"] = decoding.task.metric;
  return handle;
}

}  // namespace

}  // namespace experiment

std::vector<Operation> decoding_operations() {
  using namespace experiment;
  return {
      {.name = "decode",
       .doc = "Scores the weights that a basis decodes from coordinates, without training. z is a training within this basis, a training "
              "within another basis of the same dimension (transfer), or a list of numbers. The result has an interval {low, high}.",
       .options = decode_options(),
       .result = "evaluation",
       .run = run_decode,
       .more = [](Lab&, const json& arguments) { return z_option(arguments); },
       .version = 2,  // evaluations have top_answer_share
       .named = true},
      {.name = "scan",
       .doc = "Scores the weights that a basis decodes from many points, for landscapes.",
       .options = scan_options(),
       .result = "scan",
       .run = run_scan,
       .named = true}};
}

}  // namespace tsrun
