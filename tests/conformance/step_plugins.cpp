#include "internal.h"

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/probe.h"
#include "unit/train/kinds.h"

#include <gtest/gtest.h>

#include <csignal>

namespace tsrun::plugin_testing {
namespace {

/// Weights as a training might have left them.
Weights made_up_solution(const Weights& origin) {
  Weights solution = origin;
  for (const std::string& name : origin.names()) {
    at::Tensor noise = at::empty(origin.at(name).sizes());
    fill_normal(Key::root(8).split(name), {noise.mutable_data_ptr<float>(), static_cast<size_t>(noise.numel())}, 0, 0, 0.02F);
    solution.set(name, origin.at(name).detach() + noise);
  }
  return solution;
}

/// The model with this delta of the plugin's attached, at its first values.
Model with_delta(Model model, const std::string& name) {
  if (name.empty()) return model;
  const DeltaMethod& method = delta_method(name);
  const std::vector<std::shared_ptr<const Delta>> deltas = {
      method.attach(*model.family, method.options().resolve(nlohmann::json::object(), "conformance"))};
  model.family = adapt(model.family, deltas);
  add_initial_values(deltas, model.weights, Key::root(3));
  return model;
}

/// A plugin under test in short trainings.
class Trainings {
 public:
  explicit Trainings(StepPlugin plugin, Trial trial = {}, double dropout = 0.1)
      : plugin_(std::move(plugin)),
        task_(trial.words ? toy::documents() : toy::sentiment()),
        model_(with_delta(trial.words ? toy::with_gpt2(toy::documents()).model : toy::tiny_bert({HeadKind::classification, 2}, dropout),
                          trial.delta)) {}

  const Model& model() const { return model_; }
  /// Everything that a choice before any training is given.
  std::optional<Choice> choice(const SelectorMethod& method, const Options& options) const {
    const auto probe = make_probe(model_, task_, train_options().resolve(nlohmann::json::object(), "conformance"), Key::root(4), at::kCPU);
    const Weights solution = made_up_solution(model_.weights);
    return method.choose({*model_.family, model_.weights, Key::root(4), 0, 0, probe.get(), &solution}, options);
  }
  TrainJob job(const std::string& folder, const nlohmann::json& options, bool plugged = true) const {
    TrainJob job = toy::job(model_, task_, options, scratch_.path() / folder);
    if (plugged) job.plugins.push_back(plugin_);
    return job;
  }
  TrainResult run(const std::string& folder, const nlohmann::json& options, bool plugged = true) const {
    return train(job(folder, options, plugged));
  }

 private:
  StepPlugin plugin_;
  Task task_;
  Model model_;
  toy::Scratch scratch_;
};

const nlohmann::json kShort = {{"max_steps", 7}, {"batch_size", 16}};

StepPlugin selector_of(const Case& subject) {
  const SelectorMethod& method = selector_method(subject.method);
  const Options options = method.options().resolve(subject.options, "conformance");
  return {subject.method,
          subject.options,
          method.wants(options),
          [&method, options](const MethodInputs& in) {
            const Weights solution = made_up_solution(in.origin);
            MethodInputs with_solution = in;
            with_solution.solution = &solution;
            return method.make(with_solution, options);
          },
          {}};
}

StepPlugin regularizer_of(const Case& subject) {
  const RegularizerMethod& method = regularizer_method(subject.method);
  const Options options = method.options().resolve(subject.options, "conformance");
  return {subject.method, subject.options, method.wants(options), {}, [&method, options](const MethodInputs& in) {
            return method.make(in, options);
          }};
}

void expect_same_weights(const TrainResult& a, const TrainResult& b) {
  for (const std::string& name : a.last_weights.names()) EXPECT_TRUE(at::equal(a.last_weights.at(name), b.last_weights.at(name))) << name;
}

bool same_weights(const TrainResult& a, const TrainResult& b) {
  for (const std::string& name : a.last_weights.names())
    if (!at::equal(a.last_weights.at(name), b.last_weights.at(name))) return false;
  return true;
}

/// Raises SIGINT behind step `at`.
class Interrupter final : public Regularizer {
 public:
  explicit Interrupter(int64_t at) : at_(at) {}
  void after_update(Step& step) override {
    if (step.number == at_) std::raise(SIGINT);
  }

 private:
  int64_t at_;
};

void repeats_itself(const StepPlugin& plugin, Trial trial) {
  const Trainings trainings(plugin, trial);
  expect_same_weights(trainings.run("a", kShort), trainings.run("b", kShort));
}

/// Stopped behind every step in turn, the last one too: in the evaluation behind it.
void resumes_to_the_same_bits(const StepPlugin& plugin, Trial trial) {
  const Trainings trainings(plugin, trial);
  watch_interrupts();
  const auto job = [&](const std::string& folder, int64_t stop) {
    TrainJob job = trainings.job(folder, kShort);
    job.plugins.push_back(
        {"interrupter", {}, {.whole_vocabulary = false}, {}, [stop](const MethodInputs&) { return std::make_unique<Interrupter>(stop); }});
    return job;
  };
  const TrainResult whole = train(job("whole", -1));
  for (int64_t stop = 0; stop < 7; ++stop) {
    const std::string folder = "stopped" + std::to_string(stop);
    EXPECT_THROW(train(job(folder, stop)), Error);
    clear_interrupt();
    const TrainResult resumed = train(job(folder, -1));
    expect_same_weights(whole, resumed);
    EXPECT_EQ(whole.report.to_json(), resumed.report.to_json());
  }
}

/// Beside a plugin that changes the pass, and in micro-batches.
void works_beside_another(const StepPlugin& plugin, Trial trial) {
  class Scaling final : public Regularizer {
   public:
    void before_forward(Step& step, ForwardPass& pass) override {
      const std::string name = step.family.parameters().back().name;
      pass.weights.set(name, pass.weights.at(name) * 0.9);
    }
  };
  const Trainings trainings(plugin, trial);
  TrainJob job = trainings.job("a", {{"max_steps", 3}, {"batch_size", 8}, {"gradient_accumulation_steps", 2}});
  job.plugins.push_back({"scaling", {}, {.whole_vocabulary = false}, {}, [](const MethodInputs&) { return std::make_unique<Scaling>(); }});
  EXPECT_EQ(train(std::move(job)).report.steps, 3);
}

void changes_the_training(const StepPlugin& plugin, Trial trial) {
  const Trainings trainings(plugin, trial);
  EXPECT_FALSE(same_weights(trainings.run("with", kShort), trainings.run("without", kShort, false)));
}

/// Without dropout, micro-batches change nothing but rounding. SGD: Adam would turn rounding of tiny gradients into visible steps.
void sees_steps_not_micro_batches(const StepPlugin& plugin, Trial trial) {
  const Trainings trainings(plugin, trial, 0);
  const TrainResult big = trainings.run("big", {{"max_steps", 7}, {"batch_size", 16}, {"optim", "sgd"}});
  const TrainResult small =
      trainings.run("small", {{"max_steps", 7}, {"batch_size", 4}, {"gradient_accumulation_steps", 4}, {"optim", "sgd"}});
  for (const std::string& name : big.last_weights.names())
    EXPECT_TRUE(at::allclose(big.last_weights.at(name), small.last_weights.at(name), 1e-4, 5e-6)) << name;
}

void leaves_frozen_parameters_alone(const StepPlugin& plugin, Trial trial) {
  const Trainings trainings(plugin, trial);
  TrainJob job = trainings.job("a", kShort);
  job.tune.scope.frozen_layers = 1;
  const TrainResult result = train(std::move(job));
  for (const ParameterInfo& info : trainings.model().family->parameters())
    if (info.part == Part::embeddings || info.layer == 0) {
      EXPECT_TRUE(at::equal(result.last_weights.at(info.name), trainings.model().weights.at(info.name))) << info.name;
    }
}

/// The optimiser holds nothing for parameters that the plugin updates, and their layers may freeze.
void takes_moments_from_the_optimiser(const StepPlugin& plugin, Trial trial) {
  const Trainings trainings(plugin, trial);
  int64_t owned = 0;
  for (const std::string& name : plugin.wants.updated(*trainings.model().family)) owned += trainings.model().weights.at(name).numel();
  EXPECT_GT(owned, 0);
  const nlohmann::json one = {{"max_steps", 1}, {"batch_size", 16}, {"optim", "adamw"}};
  const int64_t with = trainings.run("with", one).report.optimizer_bytes,
                without = trainings.run("without", one, false).report.optimizer_bytes;
  EXPECT_EQ(without - with, 2 * static_cast<int64_t>(sizeof(float)) * owned);
}

/// Nothing moves outside the scope, to the bit. (Under `freeze = gradient` decay may move elements outside masks.)
void keeps_outside(const Trainings& trainings, const Choice& choice, Freeze freeze, bool compact) {
  const Model& model = trainings.model();
  TrainJob job = trainings.job(fmt::format("{}-{}", name_of(freeze), compact), kShort, false);
  job.tune.weight_decay = 0.1;
  job.tune.scope = choice.scope;
  job.tune.scope.freeze = freeze;
  job.tune.scope.compact = compact;
  const TrainResult result = train(std::move(job));
  for (const ParameterInfo& info : model.family->parameters()) {
    const Scope::Entry entry = choice.scope.entry(info);
    const at::Tensor stays = result.last_weights.at(info.name) == model.weights.at(info.name);
    const at::Tensor held = !entry.trained ? at::ones_like(stays) : entry.mask.defined() ? entry.mask.logical_not() : at::zeros_like(stays);
    EXPECT_TRUE(stays.masked_select(held).all().item<bool>()) << info.name << ' ' << name_of(freeze);
  }
}

/// A training under the one choice keeps what the choice leaves out.
void keeps_what_it_chose(const Case& subject) {
  const SelectorMethod& method = selector_method(subject.method);
  const Options options = method.options().resolve(subject.options, "conformance");
  const Trainings trainings(selector_of(subject), subject.trial);
  const Model& model = trainings.model();
  std::optional<Choice> choice;
  try {
    choice = trainings.choice(method, options);
  } catch (const Error& refusal) {
    GTEST_SKIP() << "it chooses on a schedule only with these options: " << refusal.what();
  }
  if (!choice) GTEST_SKIP() << "it chooses on a schedule only";
  choice->scope.check(*model.family, subject.method);
  EXPECT_TRUE(choice->scope.restricts(*model.family));
  for (const Freeze freeze : {Freeze::update, Freeze::state}) keeps_outside(trainings, *choice, freeze, false);
  keeps_outside(trainings, *choice, Freeze::gradient, true);
}

void acts(const StepPlugin& plugin, Trial trial) {
  const Trainings trainings(plugin, trial);
  const auto scope = trainings.run("a", kShort).report.binding.at("scope");
  EXPECT_TRUE(scope.at("acted").get<bool>()) << scope;
  EXPECT_GE(scope.at("changes").get<int64_t>(), 1);
}

class StepPluginTest : public ::testing::Test {
 public:
  explicit StepPluginTest(std::function<void()> check) : check_(std::move(check)) {}
  void TestBody() override { check_(); }

 private:
  std::function<void()> check_;
};

void add_test(const std::string& suite, const char* name, std::function<void()> check) {
  ::testing::RegisterTest(suite.c_str(), name, nullptr, nullptr, __FILE__, __LINE__,
                          [check = std::move(check)]() -> StepPluginTest* { return new StepPluginTest(check); });
}

/// Checks of both kinds.
void add_common(const std::string& suite, const std::function<StepPlugin()>& plugin, Trial trial) {
  add_test(suite, "RepeatsItself", [=] { repeats_itself(plugin(), trial); });
  add_test(suite, "ResumesToTheSameBits", [=] { resumes_to_the_same_bits(plugin(), trial); });
  add_test(suite, "WorksBesideAnother", [=] { works_beside_another(plugin(), trial); });
  add_test(suite, "ChangesTheTraining", [=] { changes_the_training(plugin(), trial); });
  if (plugin().wants.updated) add_test(suite, "TakesMomentsFromTheOptimiser", [=] { takes_moments_from_the_optimiser(plugin(), trial); });
  if (!trial.batch_statistic) add_test(suite, "SeesSteps_NotMicroBatches", [=] { sees_steps_not_micro_batches(plugin(), trial); });
}

}  // namespace

void register_step_plugin_tests() {
  for (const Case& subject : selector_cases()) {
    const std::string suite = suite_name(subject.method, subject.options);
    const auto plugin = [subject] { return selector_of(subject); };
    add_common(suite, plugin, subject.trial);
    add_test(suite, "KeepsWhatItChose", [subject] { keeps_what_it_chose(subject); });
    add_test(suite, "Acts", [=] { acts(plugin(), subject.trial); });
  }
  for (const Case& subject : regularizer_cases()) {
    const std::string suite = suite_name(subject.method, subject.options);
    const auto plugin = [subject] { return regularizer_of(subject); };
    add_common(suite, plugin, subject.trial);
    add_test(suite, "LeavesFrozenParametersAlone", [=] { leaves_frozen_parameters_alone(plugin(), subject.trial); });
  }
}

}  // namespace tsrun::plugin_testing
