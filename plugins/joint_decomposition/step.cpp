#include "step.h"

#include "tsrun/train/diverged.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>

namespace tsrun::joint_decomposition {
namespace {

double distance_between(const SmallMatrix& a, const SmallMatrix& b, int64_t row) {
  double sum = 0;
  for (int64_t j = 0; j < a.columns; ++j) sum += (a(row, j) - b(row, j)) * (a(row, j) - b(row, j));
  return std::sqrt(sum);
}

/// The groups of a step: as the tasks give them, or every example alone.
std::vector<StepPlan::Decoded> groups_of(const std::vector<JointTasks::Rows>& batch, bool each) {
  size_t examples = 0;
  for (const auto& rows : batch) examples += rows.rows.size();
  std::vector<StepPlan::Decoded> groups;
  const auto add = [&](JointTasks::Rows rows) {
    const double share = static_cast<double>(rows.rows.size()) / static_cast<double>(examples);
    groups.push_back({0, std::move(rows), share, {}});
  };
  for (const auto& rows : batch) {
    if (rows.rows.empty()) continue;
    if (!each) add(rows);
    for (size_t i = 0; each && i < rows.rows.size(); ++i) add({rows.task, {rows.rows[i]}});
  }
  if (groups.empty()) internal_error("joint_decomposition: a step without examples");
  return groups;
}

const float* drawn_solution(const JointMember& member, int64_t task, Key key) {
  const auto& solutions = member.deltas[static_cast<size_t>(task)];
  Stream stream(key.split(static_cast<uint64_t>(task)).split(member.name));
  return solutions[solutions.size() == 1 ? 0 : stream.below(solutions.size())].const_data_ptr<float>();
}

at::Tensor as_vector(float* data, int64_t length) { return at::from_blob(data, {length}, at::kFloat); }

}  // namespace

double StepLosses::total(const Settings& settings) const {
  double sum = settings.distance_weight * distance;
  for (size_t m = 0; m < task.size(); ++m) sum += task[m] + settings.gamma * reconstruction[m];
  return sum;
}

void write_weights(JointTasks& tasks, size_t m, const at::Tensor& vector) {
  const at::NoGradGuard no_grad;
  tasks.weights(m).copy_(vector);
}

StepPlan plan_step(const JointInputs& inputs, const Settings& settings, int64_t step) {
  StepPlan plan;
  const auto number = static_cast<uint64_t>(step);
  plan.groups = groups_of(inputs.tasks->batch(step), settings.mixture_per_example);
  const auto known_tasks = static_cast<int64_t>(inputs.tasks->names().size());
  const Key mixtures = inputs.key.split("mixture").split(number);
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    StepPlan::Decoded& group = plan.groups[g];
    if (group.rows.task < 0 || group.rows.task >= known_tasks)
      internal_error("joint_decomposition: step {} names task {} of {}", step + 1, group.rows.task, known_tasks);
    const auto known = std::find(plan.tasks.begin(), plan.tasks.end(), group.rows.task);
    group.task = static_cast<size_t>(known - plan.tasks.begin());
    if (known == plan.tasks.end()) {
      plan.tasks.push_back(group.rows.task);
      plan.shares.push_back(0);
    }
    plan.shares[group.task] += group.share;
    if (settings.mixing != Mixing::none) group.mixture = draw_mixture(settings.mixing, inputs.members.size(), mixtures.split(g));
  }
  const Key solutions = inputs.key.split("solution").split(number);
  for (const JointMember& member : inputs.members) {
    auto& deltas = plan.deltas.emplace_back();
    for (const int64_t task : plan.tasks) deltas.push_back(drawn_solution(member, task, solutions));
  }
  return plan;
}

Stepper::Stepper(const JointInputs& inputs, const Settings& settings, Network& network)
    : inputs_(inputs), settings_(settings), network_(network), memory_(inputs.members.size()), vectors_(inputs.members.size()) {}

int64_t Stepper::vector_bytes() const {
  int64_t bytes = 0;
  for (const at::Tensor& memory : memory_) bytes += memory.defined() ? 4 * memory.numel() : 0;
  return bytes;
}

/// Mixtures first (from θ0), then own codes (from −δ, so that the reconstruction error is left): one read of the decoder.
std::vector<float*> Stepper::decode(size_t m) {
  const JointMember& member = inputs_.members[m];
  const auto groups = static_cast<int64_t>(plan_.groups.size()), tasks = static_cast<int64_t>(plan_.tasks.size());
  const int64_t dim = network_.dim(), length = member.parameters.layout.total();
  SmallMatrix codes(groups + tasks, dim);
  for (int64_t g = 0; g < groups; ++g) {
    const StepPlan::Decoded& group = plan_.groups[static_cast<size_t>(g)];
    const auto t = static_cast<int64_t>(group.task);
    for (int64_t j = 0; j < dim; ++j) {
      if (group.mixture.empty()) codes(g, j) = encoded_[m].codes(t, j);
      for (size_t other = 0; other < group.mixture.size(); ++other) codes(g, j) += group.mixture[other] * encoded_[other].codes(t, j);
    }
  }
  for (int64_t t = 0; t < tasks; ++t)
    for (int64_t j = 0; j < dim; ++j) codes(groups + t, j) = encoded_[m].codes(t, j);
  if (!memory_[m].defined() || memory_[m].size(0) < groups + tasks) memory_[m] = at::empty({groups + tasks, length}, at::kFloat);
  std::vector<float*> vectors;
  std::vector<RowTarget> targets;
  for (int64_t k = 0; k < groups + tasks; ++k) {
    vectors.push_back(memory_[m].mutable_data_ptr<float>() + k * length);
    const bool mixed = k < groups;
    targets.push_back({mixed ? member.origin.const_data_ptr<float>() : plan_.deltas[m][static_cast<size_t>(k - groups)],
                       mixed ? 1.0F : -1.0F, vectors.back()});
  }
  active_.push_back(network_.activations(m, codes));
  codes_.push_back(std::move(codes));
  combine_rows(network_.decoder(m).rows(), active_.back(), targets);
  return vectors;
}

/// Turns reconstruction errors into γ times the gradient of their lengths (0 where the length is 0). Returns the mean length.
double Stepper::reconstruct(size_t m, std::vector<float*>& vectors) {
  const int64_t length = inputs_.members[m].parameters.layout.total();
  double mean = 0;
  for (size_t t = 0; t < plan_.tasks.size(); ++t) {
    float* error = vectors[plan_.groups.size() + t];
    const double norm = std::sqrt(gram(Rows{{error}, RowType::float32, length})(0, 0));
    if (!std::isfinite(norm))
      throw Diverged(fmt::format("joint_decomposition: the reconstruction of {} on {} is not finite in step {}; lower lr or gamma",
                                 inputs_.members[m].name, inputs_.tasks->names()[static_cast<size_t>(plan_.tasks[t])], step_ + 1),
                     fmt::format("reconstruction not finite in step {}", step_ + 1), step_);
    mean += plan_.shares[t] * norm;
    as_vector(error, length).mul_(norm > 0 ? settings_.gamma * plan_.shares[t] / norm : 0.0);
  }
  return mean;
}

/// Turns decoded weights into gradients of the tasks' losses. Returns the mean loss.
double Stepper::run_tasks(size_t m, std::vector<float*>& vectors) {
  const JointMember& member = inputs_.members[m];
  const Key dropout = inputs_.key.split("dropout").split(static_cast<uint64_t>(step_)).split(member.name);
  double mean = 0;
  for (size_t g = 0; g < plan_.groups.size(); ++g) {
    const StepPlan::Decoded& group = plan_.groups[g];
    at::Tensor vector = as_vector(vectors[g], member.parameters.layout.total());
    write_weights(*inputs_.tasks, m, vector);
    inputs_.tasks->gradient(m).zero_();
    const double loss = inputs_.tasks->loss(m, group.rows, dropout.split(g), group.share);
    if (!std::isfinite(loss))
      throw Diverged(fmt::format("joint_decomposition: the loss of {} on {} is {} in step {}; lower lr or gamma", member.name,
                                 inputs_.tasks->names()[static_cast<size_t>(group.rows.task)], loss, step_ + 1),
                     fmt::format("loss not finite in step {}", step_ + 1), step_);
    mean += group.share * loss;
    vector.copy_(inputs_.tasks->gradient(m));
  }
  return mean;
}

/// Adds the gradient of `distance_weight` times the result, 0 where two codes are equal.
double Stepper::code_distance(std::vector<SmallMatrix>* gradients) const {
  const size_t members = encoded_.size();
  if (members < 2) return 0;
  const double pairs = static_cast<double>(members * (members - 1)) / 2;
  double mean = 0;
  for (size_t t = 0; t < plan_.tasks.size(); ++t) {
    const auto row = static_cast<int64_t>(t);
    for (size_t a = 0; a < members; ++a) {
      for (size_t b = a + 1; b < members; ++b) {
        const SmallMatrix &x = encoded_[a].codes, &y = encoded_[b].codes;
        const double length = distance_between(x, y, row);
        mean += plan_.shares[t] * length / pairs;
        if (!gradients || length == 0) continue;
        const double factor = settings_.distance_weight * plan_.shares[t] / (pairs * length);
        for (int64_t j = 0; j < x.columns; ++j) {
          (*gradients)[a](row, j) += factor * (x(row, j) - y(row, j));
          (*gradients)[b](row, j) -= factor * (x(row, j) - y(row, j));
        }
      }
    }
  }
  return mean;
}

StepLosses Stepper::forward(int64_t step) {
  step_ = step;
  plan_ = plan_step(inputs_, settings_, step);
  encoded_.clear();
  codes_.clear();
  active_.clear();
  for (size_t m = 0; m < network_.members(); ++m) encoded_.push_back(network_.encode(m, plan_.deltas[m]));
  StepLosses losses;
  for (size_t m = 0; m < network_.members(); ++m) {
    std::vector<float*> vectors = decode(m);
    losses.reconstruction.push_back(reconstruct(m, vectors));
    losses.task.push_back(run_tasks(m, vectors));
    vectors_[m].assign(vectors.begin(), vectors.end());
  }
  losses.distance = code_distance(nullptr);
  return losses;
}

std::vector<SmallMatrix> Stepper::backward(const std::function<SmallMatrix(size_t)>& product) {
  const size_t members = network_.members();
  const auto tasks = static_cast<int64_t>(plan_.tasks.size()), groups = static_cast<int64_t>(plan_.groups.size());
  std::vector<SmallMatrix> at_codes(members, SmallMatrix(tasks, network_.dim()));
  network_.clear_small_gradients();
  for (size_t m = 0; m < members; ++m) {
    const SmallMatrix decoded = network_.back_through_decoder(m, codes_[m], active_[m], product(m));
    for (int64_t j = 0; j < network_.dim(); ++j) {
      for (int64_t t = 0; t < tasks; ++t) at_codes[m](t, j) += decoded(groups + t, j);
      for (int64_t g = 0; g < groups; ++g) {
        const StepPlan::Decoded& group = plan_.groups[static_cast<size_t>(g)];
        const auto t = static_cast<int64_t>(group.task);
        if (group.mixture.empty()) at_codes[m](t, j) += decoded(g, j);
        for (size_t other = 0; other < group.mixture.size(); ++other) at_codes[other](t, j) += group.mixture[other] * decoded(g, j);
      }
    }
  }
  if (settings_.distance_weight > 0) code_distance(&at_codes);
  std::vector<SmallMatrix> at_hidden;
  for (size_t m = 0; m < members; ++m) at_hidden.push_back(network_.back_through_encoder(m, encoded_[m], at_codes[m]));
  return at_hidden;
}

void Stepper::update() {
  const auto at_hidden = backward([&](size_t m) { return network_.descend_decoder(m, vectors_[m], active_[m], step_ + 1); });
  for (size_t m = 0; m < network_.members(); ++m) network_.descend_encoder(m, plan_.deltas[m], at_hidden[m], step_ + 1);
  network_.descend_small();
}

StepGradients Stepper::gradients() {
  StepGradients result;
  const auto at_hidden = backward([&](size_t m) { return multiply_rows(network_.decoder(m).rows(), vectors_[m]); });
  for (size_t m = 0; m < network_.members(); ++m) {
    result.decoders.push_back({vectors_[m], active_[m]});
    result.encoders.push_back({plan_.deltas[m], at_hidden[m]});
  }
  return result;
}

}  // namespace tsrun::joint_decomposition
