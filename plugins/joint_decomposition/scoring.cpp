#include "scoring.h"

#include "facts.h"
#include "step.h"

#include "tsrun/base/interrupt.h"

#include <ATen/ops/empty.h>

namespace tsrun::joint_decomposition {
namespace {

double mean_of(const std::vector<std::vector<double>>& scores) {
  double sum = 0;
  int64_t count = 0;
  for (const auto& row : scores)
    for (const double score : row) {
      sum += score;
      ++count;
    }
  return sum / static_cast<double>(count);
}

double selected(const Scores& scores, const std::string& select_at) {
  if (select_at == "own") return mean_of(scores.own);
  if (select_at == "centroid") return mean_of(scores.centroid);
  if (select_at == "random") return mean_of(scores.random);
  return (mean_of(scores.own) + mean_of(scores.centroid)) / 2;
}

/// Scores of one member on one task at `points`, one a row.
std::vector<double> score_points(const JointInputs& inputs, const Network& network, size_t m, int64_t task, const SmallMatrix& points) {
  const JointMember& member = inputs.members[m];
  const at::Tensor decoded = at::empty({points.rows, member.parameters.layout.total()}, at::kFloat);
  std::vector<RowTarget> targets;
  for (int64_t k = 0; k < points.rows; ++k)
    targets.push_back({member.origin.const_data_ptr<float>(), 1, decoded.mutable_data_ptr<float>() + k * decoded.size(1)});
  combine_rows(network.decoder(m).rows(), network.activations(m, points), targets);
  std::vector<double> scores;
  for (int64_t k = 0; k < points.rows; ++k) {
    write_weights(*inputs.tasks, m, decoded.select(0, k));
    scores.push_back(inputs.tasks->score(m, task));
  }
  return scores;
}

/// Row 0: member `m`'s own code of the task; 1: the members' centroid; 2, where `mixture` is given: that mixture of their codes.
SmallMatrix points_of(const std::vector<SmallMatrix>& codes, size_t m, int64_t task, const std::vector<double>& mixture) {
  const double even = 1 / static_cast<double>(codes.size());
  SmallMatrix points(mixture.empty() ? 2 : 3, codes[m].columns);
  for (int64_t j = 0; j < points.columns; ++j) {
    points(0, j) = codes[m](task, j);
    for (size_t other = 0; other < codes.size(); ++other) {
      points(1, j) += even * codes[other](task, j);
      if (!mixture.empty()) points(2, j) += mixture[other] * codes[other](task, j);
    }
  }
  return points;
}

}  // namespace

std::vector<SmallMatrix> codes_of(const JointInputs& inputs, const Network& network) {
  std::vector<SmallMatrix> codes;
  for (size_t m = 0; m < network.members(); ++m) codes.push_back(network.encode(m, first_solutions(inputs.members[m])).codes);
  return codes;
}

Scores score_codes(const JointInputs& inputs, const Settings& settings, const Network& network, const std::vector<SmallMatrix>& codes,
                   int64_t step) {
  const Key key = inputs.key.split("evaluation").split(static_cast<uint64_t>(step));
  const Mixing distribution = settings.mixing == Mixing::none ? Mixing::release : settings.mixing;
  Scores scores;
  scores.own.resize(codes.size());
  scores.centroid.resize(codes.size());
  scores.random.resize(codes.size());
  for (int64_t task = 0; task < codes[0].rows; ++task) {
    check_interrupt();
    std::vector<double> mixture;
    if (settings.select_at == "random") mixture = draw_mixture(distribution, codes.size(), key.split(static_cast<uint64_t>(task)));
    for (size_t m = 0; m < codes.size(); ++m) {
      const std::vector<double> found = score_points(inputs, network, m, task, points_of(codes, m, task, mixture));
      scores.own[m].push_back(found[0]);
      scores.centroid[m].push_back(found[1]);
      if (!mixture.empty()) scores.random[m].push_back(found[2]);
    }
  }
  scores.selected = selected(scores, settings.select_at);
  return scores;
}

}  // namespace tsrun::joint_decomposition
