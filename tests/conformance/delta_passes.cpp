#include "delta_checks.h"

#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

#include <algorithm>

namespace tsrun::plugin_testing {

double apart(const at::Tensor& found, const at::Tensor& expected) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  if (found.sizes() != expected.sizes()) return 1;
  return (found - expected).abs().max().item<double>() / std::max(1.0, expected.abs().max().item<double>());
}

namespace {

void starts_as_the_model_when_claimed(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  if (!attached.delta->starts_as_identity()) GTEST_SKIP() << "claims nothing";
  const at::Tensor before = logits_of(*subject.model.family, subject.model.weights, subject.model.batch);
  EXPECT_LT(apart(logits_of(*attached.family, attached.first, subject.model.batch), before), 1e-5);
}

void does_something(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  const at::Tensor before = logits_of(*attached.family, attached.first, subject.model.batch);
  EXPECT_GT(apart(logits_of(*attached.family, attached.random, subject.model.batch), before), 1e-4);
}

void merges_or_says_why_not(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  const auto merged = [&] {
    const c10::NoGradGuard guard;
    return attached.delta->merge(attached.random);
  }();
  if (!merged) {
    EXPECT_FALSE(attached.delta->why_not_merged().empty());
    return;
  }
  for (const ParameterInfo& info : subject.model.family->parameters()) EXPECT_EQ(merged->at(info.name).sizes().vec(), info.shape);
  EXPECT_LT(apart(logits_of(*subject.model.family, *merged, subject.model.batch),
                  logits_of(*attached.family, attached.random, subject.model.batch)),
            1e-4);
}

void rows_do_not_meet(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  std::vector<at::Tensor> alone;
  for (int64_t row = 0; row < subject.model.batch.rows(); ++row)
    alone.push_back(logits_of(*attached.family, attached.random, row_alone(subject.model.batch, row)));
  EXPECT_LT(apart(logits_of(*attached.family, attached.random, subject.model.batch), at::cat(alone)), 1e-5);
}

/// Gradients of what is trained, end to end, in a training pass.
at::Tensor training_gradient(const DeltaSubject& subject, const Attached& attached, bool checkpointing) {
  Binding binding(*attached.family, attached.random, only_the_delta(attached), Key::root(1), at::kCPU);
  ForwardOptions options;
  options.training = true;
  options.dropout = Key::root(8);
  options.gradient_checkpointing = checkpointing;
  binding.zero_gradients();
  const Output output = attached.family->forward(binding.weights(), subject.model.batch, options);
  task_loss(attached.family->head(), output, subject.model.batch).backward();
  binding.gather_gradients();
  std::vector<at::Tensor> gradients;
  for (const ParameterGroup& group : binding.groups()) gradients.push_back(group.gradient.clone());
  return at::cat(gradients);
}

void checkpointing_changes_no_gradient(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  const at::Tensor plain = training_gradient(subject, attached, false), again = training_gradient(subject, attached, true);
  EXPECT_GT(plain.norm().item<double>(), 0);
  EXPECT_LT((again - plain).norm().item<double>(), 1e-5 * plain.norm().item<double>());
}

}  // namespace

DeltaChecks pass_checks() {
  return {{"StartsAsTheModel_WhenClaimed", starts_as_the_model_when_claimed},
          {"DoesSomething", does_something},
          {"MergesOrSaysWhyNot", merges_or_says_why_not},
          {"RowsDoNotMeet", rows_do_not_meet},
          {"CheckpointingChangesNoGradient", checkpointing_changes_no_gradient}};
}

}  // namespace tsrun::plugin_testing
