#include "tsrun/plugin_testing/delta.h"
#include "internal.h"

#include "tsrun/base/error.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/binding.h"

#include <gtest/gtest.h>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <functional>
#include <map>
#include <set>

namespace tsrun::plugin_testing {
namespace {

/// One method with one set of options on one model.
struct DeltaSubject {
  const DeltaMethod& method;
  const SmallModel& model;
  const nlohmann::json& options;
  Attached attached(uint64_t seed = 1) const { return attach(method, model, options, seed); }
};
using DeltaCheck = std::function<void(const DeltaSubject&)>;

const std::map<std::string, SmallModel (*)()>& small_models() {
  static const std::map<std::string, SmallModel (*)()> all = {{"bert", small_bert}, {"gpt2", small_gpt2}, {"t5", small_t5}};
  return all;
}

class DeltaTest : public ::testing::Test {
 public:
  DeltaTest(DeltaCase subject, std::string model, DeltaCheck check)
      : subject_(std::move(subject)), model_(std::move(model)), check_(std::move(check)) {}
  void TestBody() override {
    const SmallModel model = small_models().at(model_)();
    const DeltaMethod& method = delta_method(subject_.method);
    try {
      method.attach(*model.family, method.options().resolve(subject_.options, method.name()));
    } catch (const Error& refusal) {
      ASSERT_EQ(refusal.kind(), ErrorKind::user) << refusal.what();
      GTEST_SKIP() << refusal.what();
    }
    check_({method, model, subject_.options});
  }

 private:
  DeltaCase subject_;
  std::string model_;
  DeltaCheck check_;
};

std::set<std::string> trained_names(const Delta& delta) {
  std::set<std::string> names;
  for (const DeltaTensor& tensor : delta.tensors()) names.insert(tensor.name);
  for (const std::string& name : delta.trained_parameters()) names.insert(name);
  return names;
}

int64_t trained_numbers(const Attached& attached) {
  int64_t numbers = 0;
  for (const std::string& name : trained_names(*attached.delta)) numbers += attached.first.at(name).numel();
  return numbers;
}

TuneOptions only_the_delta(const Attached& attached) {
  TuneOptions options;
  options.scope = scope_of_parts(*attached.family, {Part::delta}, attached.delta->trained_parameters());
  return options;
}

/// Largest difference, in units of `expected`'s largest number where that is above one.
double apart(const at::Tensor& found, const at::Tensor& expected) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  if (found.sizes() != expected.sizes()) return 1;
  return (found - expected).abs().max().item<double>() / std::max(1.0, expected.abs().max().item<double>());
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

void starts_from_its_key_only(const DeltaSubject& subject) {
  const Attached one = subject.attached(5), same = subject.attached(5), other = subject.attached(6);
  for (const std::string& name : one.first.names()) EXPECT_TRUE(at::equal(one.first.at(name), same.first.at(name))) << name;
  bool drawn = false;  // by a law: what a method makes of the weights itself may be the same under every key
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

const std::vector<std::pair<const char*, DeltaCheck>>& delta_checks() {
  static const std::vector<std::pair<const char*, DeltaCheck>> all = {
      {"SaysWhatItTrains", says_what_it_trains},
      {"GradientArrivesThereOnly", gradient_arrives_there_only},
      {"LoadsWhatWasSaved", loads_what_was_saved},
      {"StartsAsTheModel_WhenClaimed", starts_as_the_model_when_claimed},
      {"DoesSomething", does_something},
      {"StartsFromItsKeyOnly", starts_from_its_key_only},
      {"MakesConstantsOfNoSeed", makes_constants_of_no_seed},
      {"MergesOrSaysWhyNot", merges_or_says_why_not},
      {"RowsDoNotMeet", rows_do_not_meet},
      {"CheckpointingChangesNoGradient", checkpointing_changes_no_gradient},
      {"TrainsWithinASubspace", trains_within_a_subspace},
      {"ActsBesideAnotherDelta", acts_beside_another_delta},
      {"CallsHooksThatAreThereAlready", calls_hooks_that_are_there_already},
  };
  return all;
}

/// The options must be good for one of the models at least.
class FitsAModelTest : public ::testing::Test {
 public:
  explicit FitsAModelTest(DeltaCase subject) : subject_(std::move(subject)) {}
  void TestBody() override {
    std::string refusals;
    for (const auto& [name, make] : small_models()) {
      try {
        attach(delta_method(subject_.method), make(), subject_.options);
        return;
      } catch (const Error& refusal) {
        refusals += "\n" + name + ": " + refusal.what();
      }
    }
    ADD_FAILURE() << "every model is refused:" << refusals;
  }

 private:
  DeltaCase subject_;
};

}  // namespace

void register_delta_tests() {
  for (const DeltaCase& subject : delta_cases()) {
    const std::string suite = suite_name(subject.method, subject.options);
    ::testing::RegisterTest(suite.c_str(), "FitsAModel", nullptr, nullptr, __FILE__, __LINE__,
                            [subject]() -> FitsAModelTest* { return new FitsAModelTest(subject); });
    for (const auto& [model, make] : small_models()) {
      for (const auto& [name, check] : delta_checks())
        ::testing::RegisterTest((suite + "_on_" + model).c_str(), name, nullptr, nullptr, __FILE__, __LINE__,
                                [subject, model = model, check = check]() -> DeltaTest* { return new DeltaTest(subject, model, check); });
    }
  }
}

}  // namespace tsrun::plugin_testing
