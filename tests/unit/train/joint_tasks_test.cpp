// Losses and scores of members' flat weights, over tiny models with real deltas.
#include "tsrun/train/joint_tasks.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/plugin/host.h"
#include "tsrun/train/reading.h"
#include "tsrun/tune/delta.h"
#include "unit/train/toy.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace tsrun {
namespace {

const PluginHost& plugin_host() {
  static const PluginHost* host = [] {
    auto* fresh = new PluginHost();  // libraries with LibTorch in them are never unloaded
    fresh->load({std::filesystem::path(TSRUN_BINARY_DIR) / "lib/tsrun/plugins"});
    return fresh;
  }();
  return *host;
}

nlohmann::json tiny_t5(int64_t vocabulary) {
  return {{"model_type", "t5"}, {"vocab_size", vocabulary}, {"d_model", 16},           {"d_kv", 8},          {"num_heads", 2},
          {"d_ff", 32},         {"num_layers", 1},          {"num_decoder_layers", 1}, {"dropout_rate", 0.0}};
}

Task in_words(int64_t rows, const std::string& name) {
  Task task = toy::sentiment(rows, 24);
  task.name = name;
  task.columns = {"text"};
  task.verbaliser = Verbaliser{"{text}", {"poor", "fine"}};
  return task_for(task, ModelKind::encoder_decoder);
}

/// A tiny T5 with the delta `method`.
Model with_delta(const std::string& method) {
  const auto words = toy::tiny_bert().tokenizer;
  Model model = initialise_model(tiny_t5(words->vocabulary_size()), {HeadKind::seq2seq_lm, 0}, words, Key::root(3));
  const DeltaMethod& plugin = plugin_host().delta(method);
  std::vector<std::shared_ptr<const Delta>> deltas = {plugin.attach(*model.family, plugin.options().resolve({}, "test"))};
  model.family = adapt(model.family, deltas);
  add_initial_values(deltas, model.weights, Key::root(5));
  return model;
}

ParameterSet delta_of(const Model& model) {
  return select_parameters(*model.family, parse_selection({{"parts", {"delta"}}, {"groups", "whole"}}, "test"));
}

JointTasksJob job_of(const std::vector<std::string>& methods, nlohmann::json options = nlohmann::json::object()) {
  JointTasksJob job;
  job.tasks = {in_words(20, "short"), in_words(40, "long")};
  for (const std::string& method : methods) {
    const Model model = with_delta(method);
    job.members.push_back({delta_of(model), {model, model}});
  }
  options["max_length"] = 24;
  job.options = joint_task_options().resolve(options, "test");
  job.key = Key::root(9);
  return job;
}

at::Tensor noise(int64_t numbers, uint64_t seed, float deviation) {
  at::Tensor values = at::empty({numbers});
  fill_normal(Key::root(seed), {values.mutable_data_ptr<float>(), static_cast<size_t>(numbers)}, 0, 0, deviation);
  return values;
}

class OfEveryMethod : public ::testing::TestWithParam<const char*> {};

TEST_P(OfEveryMethod, LossAndScoreAreThoseOfTheNamedWeights) {
  const Model model = with_delta(GetParam());
  const ParameterSet set = delta_of(model);
  const at::Tensor theta = flatten(model.weights, set.layout) + noise(set.layout.total(), 4, 0.1F);
  const auto tasks = make_joint_tasks(job_of({GetParam()}, {{"eval_rows", 0}}));
  tasks->weights(0).copy_(theta);

  Weights named = model.weights;
  const Weights solution = unflatten(theta, set.layout);
  for (const std::string& name : solution.names()) named.set(name, solution.at(name));
  const Task task = in_words(40, "long");
  const Options reading = text_options().resolve({{"max_length", 24}}, "test");
  const EncodedSplit rows = encode_split(task, task.split("train"), *model.tokenizer, encode_options_for(*model.family, reading));
  const std::vector<int64_t> some = {3, 1, 7};
  const PackedBatch batch = to_device(pack_batch(rows, some), model.family->head(), at::kCPU);
  const double expected = task_loss(model.family->head(), model.family->forward(named, batch, {}), batch).item<double>();
  EXPECT_EQ(tasks->loss(0, {1, some}, Key::root(1), 1), expected);
  const Evaluation evaluation = evaluate(*model.family, named, make_evaluation_set(model, task, "dev", reading), at::kCPU);
  EXPECT_EQ(tasks->score(0, 1), evaluation.metrics.at("accuracy"));
}

TEST_P(OfEveryMethod, GradientOfTheCodeIsThatOfFiniteDifferences) {
  constexpr int64_t kDim = 3;
  const Model model = with_delta(GetParam());
  const ParameterSet set = delta_of(model);
  const at::Tensor origin = flatten(model.weights, set.layout);
  const at::Tensor decoder = noise(set.layout.total() * kDim, 6, 0.05F).view({set.layout.total(), kDim});
  const at::Tensor code = noise(kDim, 7, 1.0F);
  const auto tasks = make_joint_tasks(job_of({GetParam()}));
  const JointTasks::Rows rows{0, {0, 1, 2, 3}};
  const auto loss_at = [&](const at::Tensor& z) {
    tasks->weights(0).copy_(origin + decoder.mv(z));
    return tasks->loss(0, rows, Key::root(1), 1);
  };
  loss_at(code);
  const at::Tensor gradient = decoder.t().mv(tasks->gradient(0));
  for (int64_t i = 0; i < kDim; ++i) {
    at::Tensor step = at::zeros({kDim});
    step[i] = 2e-2;
    const double slope = (loss_at(code + step) - loss_at(code - step)) / 4e-2;
    EXPECT_NEAR(gradient[i].item<double>(), slope, 5e-3 + 0.02 * std::abs(slope)) << "coordinate " << i;
  }
  EXPECT_GT(gradient.abs().max().item<double>(), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(JointTasks, OfEveryMethod, ::testing::Values("adapter", "lora", "prefix"),
                         [](const auto& info) { return std::string(info.param); });

TEST(JointTasks, AddsTheShareOfEachGradient_ToTheMembersOwn) {
  const auto tasks = make_joint_tasks(job_of({"lora", "adapter"}));
  const JointTasks::Rows rows{0, {0, 1}};
  tasks->weights(1).add_(noise(tasks->weights(1).numel(), 2, 0.1F));
  tasks->loss(1, rows, Key::root(1), 1);
  const at::Tensor once = tasks->gradient(1).clone();
  tasks->loss(1, rows, Key::root(1), 0.5);
  EXPECT_TRUE(at::allclose(tasks->gradient(1), once * 1.5, 1e-5, 1e-7));
  EXPECT_EQ(tasks->gradient(0).abs().sum().item<double>(), 0);
  EXPECT_GT(once.abs().sum().item<double>(), 0);
}

TEST(JointTasks, GoesThroughEveryTaskEquallyOften_AndTheSameWayFromAnyStep) {
  const auto tasks = make_joint_tasks(job_of({"lora"}, {{"batch_size", 8}, {"rows_per_task", 32}}));
  ASSERT_EQ(tasks->steps_per_epoch(), 8);
  std::map<int64_t, std::multiset<int64_t>> seen;
  for (int64_t step = 0; step < 8; ++step) {
    int64_t last = -1;
    for (const auto& part : tasks->batch(step)) {
      EXPECT_GT(part.task, last) << "the examples of one task stand together";
      last = part.task;
      seen[part.task].insert(part.rows.begin(), part.rows.end());
    }
  }
  EXPECT_EQ(seen[0].size(), 32U);
  EXPECT_EQ(seen[1].size(), 32U);
  EXPECT_EQ(seen[0].count(0), 2U) << "20 rows, repeated to 32";
  EXPECT_EQ(seen[0].count(15), 1U);
  EXPECT_EQ(*seen[1].rbegin(), 31) << "40 rows, cut to 32";
  const auto again = make_joint_tasks(job_of({"lora"}, {{"batch_size", 8}, {"rows_per_task", 32}}));
  EXPECT_EQ(again->batch(13).at(0).rows, tasks->batch(13).at(0).rows);
  EXPECT_NE(tasks->batch(0).at(0).rows, tasks->batch(8).at(0).rows) << "every epoch has its own order";
}

TEST(JointTasks, RefusesATaskWithoutTheSplitThatIsScored) {
  JointTasksJob job = job_of({"lora"}, {{"eval_split", "tset"}});
  EXPECT_THROW(make_joint_tasks(std::move(job)), Error);
}

}  // namespace
}  // namespace tsrun
