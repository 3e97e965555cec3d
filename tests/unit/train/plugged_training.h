#pragma once

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/train.h"
#include "unit/train/toy.h"

#include <gtest/gtest.h>

#include <csignal>

namespace tsrun {

template <class Method>
StepPlugin selector(const std::string& name, Method make, Wants wants = {.whole_vocabulary = false}) {
  return {name, {{"name", name}}, wants, [make](const MethodInputs& inputs) { return make(inputs); }, {}};
}
template <class Method>
StepPlugin regularizer(const std::string& name, Method make, Wants wants = {.whole_vocabulary = false}) {
  return {name, {{"name", name}}, wants, {}, [make](const MethodInputs& inputs) { return make(inputs); }};
}

/// Short trainings of a small BERT with selectors and regularisers made in the test.
class PluggedTraining : public ::testing::Test {
 protected:
  TrainJob job(const std::string& folder, nlohmann::json options = {{"epochs", 1}, {"batch_size", 32}}) {
    return toy::job(model, task, options, scratch.path() / folder);
  }
  /// A training under `scope`, stopped behind step 2 and resumed, ends with the bits of an undisturbed one.
  void resumes_under(const Scope& scope);
  toy::Scratch scratch;
  Task task = toy::sentiment();
  Model model = toy::tiny_bert();
};

/// What a training that must fail says.
inline std::string message_of(TrainJob run) {
  try {
    train(std::move(run));
  } catch (const Error& error) {
    return fmt::format("{}: {}", error.exit_code(), error.what());
  }
  return "no error";
}

/// Does nothing.
class Idle final : public Regularizer {};

/// Interrupts at the end of step `at`, once.
class Interrupting final : public Regularizer {
 public:
  explicit Interrupting(int64_t at) : at_(at) {}
  void after_update(Step& step) override {
    if (step.number == at_) std::raise(SIGINT);
  }

 private:
  int64_t at_;
};

/// Replaces a weight in one pass by zeros: its gradient must then vanish, and the stored weight stay.
class Zeroing final : public Regularizer {
 public:
  explicit Zeroing(std::string name) : name_(std::move(name)) {}
  void before_forward(Step&, ForwardPass& pass) override { pass.weights.set(name_, at::zeros_like(pass.weights.at(name_))); }
  void after_backward(Step& step) override {
    for (const Block& block : step.blocks) {
      const Slice* slice = block.layout->find(name_);
      if (slice == nullptr) continue;
      EXPECT_EQ(block.gradient.narrow(0, slice->offset, slice->size).abs().sum().item<double>(), 0);
    }
  }

 private:
  std::string name_;
};

}  // namespace tsrun
