#include "delta_checks.h"

#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"

#include <gtest/gtest.h>

namespace tsrun::plugin_testing {

std::set<std::string> trained_names(const Delta& delta) {
  std::set<std::string> names;
  for (const DeltaTensor& tensor : delta.tensors()) names.insert(tensor.name);
  for (const std::string& name : delta.trained_parameters()) names.insert(name);
  return names;
}

TuneOptions only_the_delta(const Attached& attached) {
  TuneOptions options;
  options.scope = scope_of_parts(*attached.family, {Part::delta}, attached.delta->trained_parameters());
  return options;
}

namespace {

int64_t trained_numbers(const Attached& attached) {
  int64_t numbers = 0;
  for (const std::string& name : trained_names(*attached.delta)) numbers += attached.first.at(name).numel();
  return numbers;
}

bool starts_equal(const Delta& delta, const Weights& a, const Weights& b) {
  for (const std::string& name : trained_names(delta)) {
    if (!at::equal(a.at(name), b.at(name))) return false;
  }
  return true;
}

void says_what_it_trains(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  int64_t said = 0;
  for (const DeltaMatch& match : attached.delta->matches()) {
    said += match.numbers;
    EXPECT_GT(match.numbers, 0) << match.module;
    EXPECT_FALSE(match.pattern.empty()) << match.module;
  }
  EXPECT_EQ(said, trained_numbers(attached));
  EXPECT_GT(said, 0);
  EXPECT_FALSE(subject.method.doc().empty());
  EXPECT_GE(subject.method.version(), 1);
  for (const DeltaTensor& tensor : attached.delta->tensors()) {
    EXPECT_EQ(attached.first.at(tensor.name).sizes().vec(), tensor.shape) << tensor.name;
    EXPECT_EQ(attached.first.at(tensor.name).scalar_type(), at::kFloat) << tensor.name;
    EXPECT_TRUE(attached.first.at(tensor.name).isfinite().all().item<bool>()) << tensor.name;
  }
}

void gradient_arrives_there_only(const DeltaSubject& subject) {
  const Attached attached = subject.attached();
  Binding binding(*attached.family, attached.random, only_the_delta(attached), Key::root(1), at::kCPU);
  EXPECT_EQ(binding.trainable(), trained_numbers(attached));
  binding.zero_gradients();
  const Output output = attached.family->forward(binding.weights(), subject.model.batch, {});
  task_loss(attached.family->head(), output, subject.model.batch).backward();
  const auto trained = trained_names(*attached.delta);
  for (const std::string& name : binding.weights().names()) {
    const at::Tensor& weight = binding.weights().at(name);
    EXPECT_EQ(weight.requires_grad(), trained.contains(name)) << name;
    EXPECT_EQ(weight.grad().defined(), trained.contains(name)) << name;
  }
  for (const DeltaTensor& tensor : attached.delta->tensors()) {
    const at::Tensor gradient = binding.weights().at(tensor.name).grad();
    ASSERT_TRUE(gradient.defined()) << tensor.name;
    EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << tensor.name;
    EXPECT_GT(gradient.abs().max().item<double>(), 0) << tensor.name;
  }
}

void loads_what_was_saved(const DeltaSubject& subject) {
  const SmallInputs files;
  const Attached attached = subject.attached();
  const auto file = files.folder("saved") / "model.safetensors";
  Weights parameters;
  for (const ParameterInfo& info : attached.family->parameters()) parameters.set(info.name, attached.random.at(info.name));
  save_weights(parameters, file);
  Weights loaded = load_weights(file, *attached.family);
  for (const DeltaTensor& constant : attached.delta->constants()) loaded.set(constant.name, attached.first.at(constant.name));
  for (const std::string& name : attached.random.names()) EXPECT_TRUE(at::equal(loaded.at(name), attached.random.at(name))) << name;
  // Equal to rounding: sums run in another order where tensors lie at other places in memory.
  EXPECT_LT(
      apart(logits_of(*attached.family, loaded, subject.model.batch), logits_of(*attached.family, attached.random, subject.model.batch)),
      1e-5);
}

void starts_from_its_key_only(const DeltaSubject& subject) {
  const Attached one = subject.attached(5), same = subject.attached(5), other = subject.attached(6);
  for (const std::string& name : one.first.names()) EXPECT_TRUE(at::equal(one.first.at(name), same.first.at(name))) << name;
  bool drawn = false;  // by a distribution: what a method makes of the weights itself may be the same under every key
  for (const DeltaTensor& tensor : one.delta->tensors()) {
    const bool random = tensor.init == DeltaTensor::Init::normal || tensor.init == DeltaTensor::Init::uniform;
    drawn = drawn || (random && tensor.scale > 0 && !one.delta->initial(tensor, one.first, Key::root(5)).defined());
  }
  if (drawn) {
    EXPECT_FALSE(starts_equal(*one.delta, one.first, other.first));
  }
}

void makes_constants_of_no_seed(const DeltaSubject& subject) {
  const Attached one = subject.attached(5), other = subject.attached(6);
  for (const DeltaTensor& constant : one.delta->constants()) {
    EXPECT_EQ(one.first.at(constant.name).sizes().vec(), constant.shape) << constant.name;
    EXPECT_TRUE(at::equal(one.first.at(constant.name), other.first.at(constant.name))) << constant.name;
  }
}

}  // namespace

DeltaChecks parameter_checks() {
  return {{"SaysWhatItTrains", says_what_it_trains},
          {"GradientArrivesThereOnly", gradient_arrives_there_only},
          {"LoadsWhatWasSaved", loads_what_was_saved},
          {"StartsFromItsKeyOnly", starts_from_its_key_only},
          {"MakesConstantsOfNoSeed", makes_constants_of_no_seed}};
}

}  // namespace tsrun::plugin_testing
