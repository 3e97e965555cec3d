#include "delta_checks.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/merge.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>

namespace tsrun::plugin_testing {
namespace {

/// A few random directions, dense over everything.
class RandomDirections final : public Subspace {
 public:
  explicit RandomDirections(ParameterSet parameters) : parameters_(std::move(parameters)) {
    parameters_.groups = {{"all", 0, parameters_.layout.total()}};
    directions_ = at::empty({dims_[0], parameters_.layout.total()});
    fill_normal(Key::root(9), {directions_.mutable_data_ptr<float>(), static_cast<size_t>(directions_.numel())}, 0, 0, 0.1F);
  }
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override { out += at::matmul(z, directions_); }
  at::Tensor project(const at::Tensor& /*z*/, const at::Tensor& g) const override { return at::matmul(directions_, g); }
  bool claims_orthonormal() const override { return false; }
  nlohmann::json describe() const override { return nlohmann::json::object(); }
  void save(const std::filesystem::path& /*folder*/) const override {}
  int64_t bytes_shipped() const override { return directions_.numel() * 4; }

 private:
  ParameterSet parameters_;
  std::vector<int64_t> dims_ = {6};
  at::Tensor directions_;
};

void trains_within_a_subspace(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  if (attached.delta->tensors().empty()) GTEST_SKIP() << "it has no tensors of its own";
  ParameterSelection selection;
  selection.parts = {"delta"};
  selection.groups = "whole";
  TuneOptions options;
  options.scope = scope_of_parts(*attached.family, {Part::delta});
  options.subspace = std::make_shared<RandomDirections>(select_parameters(*attached.family, selection));
  Binding binding(*attached.family, attached.first, options, Key::root(1), at::kCPU);
  ASSERT_EQ(binding.groups().size(), 1U);
  EXPECT_EQ(binding.trainable(), options.subspace->dim());
  ParameterGroup& z = binding.groups().front();
  const auto forward = [&] {
    return task_loss(attached.family->head(), attached.family->forward(binding.weights(), subject.model.batch, {}), subject.model.batch);
  };
  std::vector<double> losses;
  for (int step = 0; step < 2; ++step) {
    binding.compose();
    binding.zero_gradients();
    const at::Tensor loss = forward();
    losses.push_back(loss.item<double>());
    loss.backward();
    binding.gather_gradients();
    ASSERT_GT(z.gradient.norm().item<double>(), 0);
    {
      const c10::NoGradGuard guard;
      z.value -= 0.5 * z.gradient / z.gradient.norm();
    }
    binding.after_update();
  }
  losses.push_back(forward().item<double>());
  EXPECT_NE(losses[0], losses[1]);
  EXPECT_NE(losses[1], losses[2]);
  for (const ParameterInfo& info : subject.model.family->parameters())
    EXPECT_TRUE(at::equal(binding.weights().at(info.name), attached.first.at(info.name))) << info.name;
}

/// A trained vector added to the output of every linear map: another delta beside the one under test.
class Shift final : public Delta {
 public:
  explicit Shift(const Family& family) : maps_(linear_modules(family)) {}
  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const LinearModule& map : maps_)
      tensors.push_back({map.name + ".conformance_shift", {map.outputs}, map.layer, DeltaTensor::Init::normal, 0.2});
    return tensors;
  }
  std::vector<DeltaMatch> matches() const override { return {}; }
  void install(const Weights& weights, ForwardOptions& forward) const override {
    forward.at_linear.push_back([weights](const LinearCall& call, const at::Tensor& y) {
      const at::Tensor* shift = weights.find(call.module + ".conformance_shift");
      return shift == nullptr ? y : y + *shift;
    });
  }

 private:
  std::vector<LinearModule> maps_;
};

/// Logits of the model with `deltas` in this order, at the values in `weights`.
at::Tensor logits_with(const DeltaSubject& subject, std::vector<std::shared_ptr<const Delta>> deltas, const Weights& weights) {
  Weights own;
  for (const auto& delta : deltas)
    for (const DeltaTensor& constant : delta->constants()) own.set(constant.name, weights.at(constant.name));
  const auto family = adapt(subject.model.family, std::move(deltas));
  for (const ParameterInfo& info : family->parameters()) own.set(info.name, weights.at(info.name));
  return logits_of(*family, own, subject.model.batch);
}

void acts_beside_another_delta(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  const auto shift = std::make_shared<const Shift>(*subject.model.family);
  Weights weights = attached.random;
  add_initial_values({shift}, weights, Key::root(12));
  const at::Tensor both = logits_with(subject, {attached.delta, shift}, weights);
  EXPECT_TRUE(both.isfinite().all().item<bool>());
  EXPECT_GT(apart(both, logits_with(subject, {attached.delta}, weights)), 1e-4) << "the other delta's hooks are not called";
  EXPECT_GT(apart(logits_with(subject, {shift, attached.delta}, weights), logits_with(subject, {attached.delta}, weights)), 1e-4)
      << "hooks of a delta in front of it are not called";
  Weights without = subject.model.weights;
  add_initial_values({shift}, without, Key::root(12));
  EXPECT_GT(apart(both, logits_with(subject, {shift}, without)), 1e-4) << "it does nothing beside another delta";
}

/// A trained matrix that is added to the weight of every linear map, or that multiplies it entry by entry: a delta of weights beside the
/// one under test.
class Matrices final : public Delta {
 public:
  Matrices(const Family& family, bool factors) : factors_(factors) {
    for (LinearModule& map : linear_modules(family))
      if (!map.shared) maps_.push_back(std::move(map));
    shapes_of(family);
  }
  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const LinearModule& map : maps_)
      tensors.push_back({map.name + ".conformance_matrix", shapes_.at(map.weight), map.layer, DeltaTensor::Init::normal, 0.2});
    return tensors;
  }
  std::vector<DeltaMatch> matches() const override { return {}; }
  std::vector<ModuleChange> changes() const override {
    using enum ModuleChange::How;
    std::vector<ModuleChange> changes;
    for (const LinearModule& map : maps_) changes.push_back({map.name, ModuleChange::Place::weight, factors_ ? of_weight : adds});
    return changes;
  }
  void override_weights(const Weights& weights, Weights& seen) const override {
    for (const LinearModule& map : maps_) {
      const at::Tensor &w = weights.at(map.weight), &own = weights.at(map.name + ".conformance_matrix");
      seen.set(map.weight, factors_ ? w * (1 + own) : w + own);
    }
  }
  std::optional<Weights> merge(const Weights& weights) const override {
    Weights merged = weights;
    override_weights(weights, merged);
    return merged;
  }
  std::string why_not_merged() const override { return {}; }

 private:
  void shapes_of(const Family& family) {
    for (const ParameterInfo& info : family.parameters()) shapes_[info.name] = info.shape;
  }

  bool factors_;
  std::vector<LinearModule> maps_;
  std::map<std::string, std::vector<int64_t>> shapes_;
};

using Deltas = std::vector<std::shared_ptr<const Delta>>;

/// The length of the loss's gradient in all that `delta` trains.
double gradient_length(const Delta& delta, const Weights& weights) {
  double sum = 0;
  for (const std::string& name : trained_names(delta))
    if (const at::Tensor& gradient = weights.at(name).grad(); gradient.defined()) sum += gradient.norm().item<double>();
  return sum;
}

/// Weights of all parameters, with autograd, for one backward pass.
Weights after_backward(const DeltaSubject& subject, const Deltas& deltas, const Weights& values) {
  const auto family = adapt(subject.model.family, deltas);
  Weights weights = values;
  for (const ParameterInfo& info : family->parameters()) weights.set(info.name, values.at(info.name).detach().clone().requires_grad_());
  task_loss(family->head(), family->forward(weights, subject.model.batch, {}), subject.model.batch).backward();
  return weights;
}

/// Both are trained, and what they are when merged one behind the other is what they were.
void expect_they_add_up(const DeltaSubject& subject, const Deltas& deltas, const Weights& values) {
  const Weights weights = after_backward(subject, deltas, values);
  for (const auto& delta : deltas)
    EXPECT_GT(gradient_length(*delta, weights), 0) << "the " << (delta == deltas.front() ? "first" : "second") << " delta gets no gradient";
  const bool merges = std::all_of(deltas.begin(), deltas.end(), [&](const auto& delta) {
    const c10::NoGradGuard guard;
    return delta->merge(values).has_value();
  });
  if (!merges) return;
  const Merged merged(deltas, values);
  EXPECT_LT(apart(logits_of(*subject.model.family, merged.weights(), subject.model.batch), logits_with(subject, deltas, values)), 1e-4);
}

void adds_up_with_deltas_of_weights(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  for (const bool factors : {false, true}) {
    const auto other = std::make_shared<const Matrices>(*subject.model.family, factors);
    Weights values = attached.random;
    add_initial_values({other}, values, Key::root(13));
    SCOPED_TRACE(factors ? "weights multiplied" : "weights added");
    {
      SCOPED_TRACE("in front");
      expect_they_add_up(subject, {other, attached.delta}, values);
    }
    SCOPED_TRACE("behind");
    try {
      expect_they_add_up(subject, {attached.delta, other}, values);
    } catch (const Error& refusal) {
      EXPECT_EQ(refusal.kind(), ErrorKind::user) << refusal.what();
      EXPECT_NE(std::string(refusal.what()).find("two deltas meet at"), std::string::npos) << refusal.what();
    }
  }
}

/// How often each hook of a forward pass is called.
std::map<std::string, int> hook_calls(const Family& family, const Weights& weights, const PackedBatch& batch) {
  const c10::NoGradGuard guard;
  std::map<std::string, int> calls;
  ForwardOptions options;
  options.at_linear.push_back([&](const LinearCall& call, const at::Tensor& output) {
    ++calls["at_linear " + call.module];
    return output;
  });
  options.at_site.push_back([&](const Site& site, const at::Tensor& activation) {
    ++calls["at_site " + std::string(name_of(site.kind)) + std::to_string(site.layer)];
    return activation;
  });
  options.attention_prefix.push_back([&](int layer) {
    ++calls["attention_prefix " + std::to_string(layer)];
    return KeyValuePrefix();
  });
  family.forward(weights, batch, options);
  return calls;
}

void calls_hooks_that_are_there_already(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  EXPECT_EQ(hook_calls(*attached.family, attached.random, subject.model.batch),
            hook_calls(*subject.model.family, subject.model.weights, subject.model.batch));
}

}  // namespace

DeltaChecks company_checks() {
  return {{"TrainsWithinASubspace", trains_within_a_subspace},
          {"ActsBesideAnotherDelta", acts_beside_another_delta},
          {"AddsUpWithDeltasOfWeights", adds_up_with_deltas_of_weights},
          {"CallsHooksThatAreThereAlready", calls_hooks_that_are_there_already}};
}

}  // namespace tsrun::plugin_testing
