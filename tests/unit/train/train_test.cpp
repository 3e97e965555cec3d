#include "tsrun/train/train.h"

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/diverged.h"
#include "unit/train/toy.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include <csignal>
#include <limits>
#include <numeric>
#include <sstream>

namespace tsrun {
namespace {

double largest_difference(const Weights& a, const Weights& b) {
  double largest = 0;
  for (const auto& name : a.names()) largest = std::max(largest, (a.at(name) - b.at(name)).abs().max().item<double>());
  return largest;
}

TEST(Train, LearnsToySentiment_FullFineTuning) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  const TrainResult result = train(toy::job(model, task, {{"epochs", 10}, {"batch_size", 16}}, scratch.path() / "work"));
  EXPECT_GE(result.last.metrics.at("accuracy"), 0.9);
  EXPECT_GE(result.best.metrics.at("accuracy"), result.last.metrics.at("accuracy"));
  EXPECT_LT(result.last.top_answer_share, 0.7);
  EXPECT_EQ(result.evaluations.size(), 10U);
  EXPECT_EQ(result.report.steps, 60);
}

TEST(Train, GivesBackTheWeightsItScored) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  const TrainResult result = train(toy::job(model, task, {{"epochs", 4}, {"batch_size", 16}}, scratch.path() / "work"));
  const EvaluationSet dev = make_evaluation_set(model, task, "dev", text_options().resolve({{"max_length", 32}}, "test"));
  Predictions predictions;
  const Evaluation last = evaluate(*model.family, result.last_weights, dev, at::kCPU, &predictions);
  const Evaluation best = evaluate(*model.family, result.best_weights, dev, at::kCPU);
  EXPECT_EQ(last.metrics, result.last.metrics);
  EXPECT_EQ(last.loss, result.last.loss);
  EXPECT_EQ(best.metrics, result.best.metrics);
  EXPECT_EQ(predictions.values.size(), task.split("dev").examples.size());
  EXPECT_EQ(predictions.logits.size(), predictions.values.size());
  std::vector<int64_t> all(predictions.values.size());
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(result.last_rows.values, predictions.values);
  EXPECT_DOUBLE_EQ(result.last_rows.score(all), last.metrics.at("accuracy"));
  EXPECT_DOUBLE_EQ(result.best_rows.score(all), best.metrics.at("accuracy"));
}

TEST(Train, WritesTheSameMetricsBytes_ForTheSameSeed) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  const nlohmann::json options = {{"epochs", 2}, {"batch_size", 16}};
  train(toy::job(model, task, options, scratch.path() / "a"));
  train(toy::job(model, task, options, scratch.path() / "b"));
  train(toy::job(model, task, options, scratch.path() / "c", 2));
  EXPECT_EQ(toy::bytes_of(scratch.path() / "a/metrics.jsonl"), toy::bytes_of(scratch.path() / "b/metrics.jsonl"));
  EXPECT_NE(toy::bytes_of(scratch.path() / "a/metrics.jsonl"), toy::bytes_of(scratch.path() / "c/metrics.jsonl"));
}

TEST(Train, AccumulatedBatchesEqualOneBigBatch_WithoutDropout) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment(40);  // the last batch of an epoch is smaller
  const Model model = toy::tiny_bert({HeadKind::classification, 2}, 0);
  // SGD: Adam would turn rounding of tiny gradients into visible steps.
  const nlohmann::json big = {{"epochs", 2}, {"batch_size", 16}, {"optim", "sgd"}};
  const nlohmann::json small = {{"epochs", 2}, {"batch_size", 4}, {"gradient_accumulation_steps", 4}, {"optim", "sgd"}};
  auto whole = toy::job(model, task, big, scratch.path() / "big");
  auto parts = toy::job(model, task, small, scratch.path() / "small");
  whole.tune.lr = parts.tune.lr = whole.tune.lr_head = parts.tune.lr_head = 0.1;
  const TrainResult a = train(std::move(whole)), b = train(std::move(parts));
  EXPECT_EQ(a.report.steps, b.report.steps);
  EXPECT_GT(largest_difference(a.last_weights, model.weights), 1e-3);
  EXPECT_LT(largest_difference(a.last_weights, b.last_weights), 2e-6);
}

TEST(Train, StopsEarly_WithoutANewBest) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  auto job = toy::job(model, task, {{"epochs", 50}, {"batch_size", 48}, {"early_stop", 3}, {"eval_every", 1}}, scratch.path() / "work");
  job.tune.lr = job.tune.lr_embeddings = job.tune.lr_head = 0;  // nothing ever changes
  const TrainResult result = train(std::move(job));
  EXPECT_EQ(result.evaluations.size(), 4U);
  EXPECT_EQ(result.best.step, 1);
  EXPECT_EQ(result.last.step, 4);
}

TEST(Train, EvaluatesAtTheEnd_WhateverTheInterval) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  const TrainResult every = train(toy::job(model, task, {{"max_steps", 7}, {"batch_size", 16}, {"eval_every", 3}}, scratch.path() / "a"));
  const TrainResult once = train(toy::job(model, task, {{"max_steps", 7}, {"batch_size", 16}, {"eval_every", -1}}, scratch.path() / "b"));
  EXPECT_EQ(every.evaluations.size(), 3U);
  ASSERT_EQ(once.evaluations.size(), 1U);
  EXPECT_EQ(once.last.step, 7);
  EXPECT_EQ(once.last.loss, every.last.loss);
}

/// A head of three classes, two of which stand for one of the task.
TEST(Train, EvaluatesClassesThatSeveralOutputsStandFor) {
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert({HeadKind::classification, 3});
  EvaluationSet set = make_evaluation_set(model, task, "dev", train_options().resolve(nlohmann::json::object(), "test"));
  Predictions raw, mapped;
  EvaluationSet as_they_are = set;
  evaluate(*model.family, model.weights, as_they_are, at::kCPU, &raw);
  set.classes = {0, 1, 1};
  const Evaluation evaluation = evaluate(*model.family, model.weights, set, at::kCPU, &mapped);
  double loss = 0, right = 0;
  for (size_t i = 0; i < raw.values.size(); ++i) {
    EXPECT_EQ(mapped.values[i], std::min(raw.values[i], 1.0));
    right += mapped.values[i] == set.rows.targets[i];
    std::array<double, 3> p{};
    for (size_t c = 0; c < 3; ++c) p[c] = std::exp(static_cast<double>(raw.logits[i][c]));
    loss -= std::log((set.rows.targets[i] == 0 ? p[0] : p[1] + p[2]) / (p[0] + p[1] + p[2]));
  }
  const auto rows = static_cast<double>(raw.values.size());
  EXPECT_NEAR(evaluation.loss, loss / rows, 1e-5);
  EXPECT_NEAR(evaluation.metrics.at("accuracy"), right / rows, 1e-12);
}

TEST(Train, LeavesFrozenPartsAlone) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  auto job = toy::job(model, task, {{"epochs", 1}, {"batch_size", 16}}, scratch.path() / "work");
  job.tune.scope = scope_of_parts(*model.family, {Part::head});
  job.tune.weight_decay = 0.1;
  const TrainResult result = train(std::move(job));
  for (const auto& info : model.family->parameters()) {
    const bool same = at::equal(result.last_weights.at(info.name), model.weights.at(info.name));
    EXPECT_EQ(same, info.part != Part::head) << info.name;
  }
}

TEST(Train, NamesStepAndRows_WhenTheLossIsNotFinite) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment(8);
  Model model = toy::tiny_bert();
  const std::string bias = model.family->parameters().back().name;
  model.weights.set(bias, at::full_like(model.weights.at(bias), std::numeric_limits<float>::quiet_NaN()));
  try {
    train(toy::job(model, task, {{"epochs", 1}, {"batch_size", 8}}, scratch.path() / "work"));
    FAIL() << "trained on a loss that is not a number";
  } catch (const Diverged& error) {
    EXPECT_EQ(error.kind(), ErrorKind::run);
    EXPECT_EQ(error.reason(), "loss not finite in step 1");
    EXPECT_EQ(error.steps(), 0);
    const std::string message = error.what();
    EXPECT_EQ(message.find("step 1: the loss is nan, and '" + bias + "' holds numbers that are not finite"), 0U) << message;
    EXPECT_NE(message.find("rows of the batch, from 0: 0, 1, 2, 3, 4, 5, 6, 7"), std::string::npos) << message;
  }
}

TEST(Train, HasDiverged_WhenTheScoresBehindItsLastStepAreNotFinite) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment(8);
  const Model model = toy::tiny_bert();
  auto job = toy::job(model, task, {{"max_steps", 1}, {"batch_size", 8}}, scratch.path() / "work");
  job.tune.lr = job.tune.lr_head = 3e38;
  try {
    train(std::move(job));
    FAIL() << "scores of endless weights";
  } catch (const Diverged& error) {
    EXPECT_EQ(error.reason(), "scores not finite after step 1");
    EXPECT_EQ(error.steps(), 1);
  }
}

/// The toy task with `word` left out, so that its row of the embeddings is out of reach.
Task without(Task task, const std::string& word) {
  for (auto& [name, split] : task.splits) {
    for (auto& example : split.examples) {
      std::istringstream words(example.first);
      std::ostringstream kept;
      for (std::string next; words >> next;) kept << (next == word ? "a" : next) << ' ';
      example.first = kept.str();
    }
  }
  return task;
}

TEST(Train, EqualsTrainingOnTheWholeVocabulary_WhenRowsAreOutOfReach) {
  const toy::Scratch scratch;
  const Task task = without(without(toy::sentiment(), "plot"), "day");
  const Model model = toy::tiny_bert();
  const nlohmann::json options = {{"epochs", 2}, {"batch_size", 16}, {"max_grad_norm", 0.0}};
  auto reached = toy::job(model, task, options, scratch.path() / "reached");
  auto whole = toy::job(model, task, options, scratch.path() / "whole");
  // A mask over the embeddings that holds a position the run never moves: everything is trained as it stands.
  const std::string words = "bert.embeddings.word_embeddings.weight";
  Mask mask;
  mask.layout.add(words, model.weights.at(words).sizes().vec());
  mask.positions = {0};
  whole.tune.held = std::make_shared<Mask>(mask);
  const auto set = select_parameters(*model.family, {.parts = {"embeddings", "encoder"}, .layers = {}, .patterns = {}, .groups = "whole"});
  for (auto* job : {&reached, &whole}) {
    job->observers.push_back(make_trajectory_recorder(job->work / "trajectory", set, RowType::float32, 0));
    job->observers.push_back(make_weight_averager(job->work / "mean.safetensors", 0));
  }
  const TrainResult a = train(std::move(reached)), b = train(std::move(whole));
  EXPECT_GT(a.report.out_of_reach, 0);
  EXPECT_EQ(b.report.out_of_reach, 0);
  EXPECT_EQ(a.report.trainable, b.report.trainable);
  for (const auto& name : a.last_weights.names()) EXPECT_TRUE(at::equal(a.last_weights.at(name), b.last_weights.at(name))) << name;
  for (const char* file : {"metrics.jsonl", "mean.safetensors", "trajectory/row-00002.safetensors"}) {
    EXPECT_TRUE(toy::bytes_of(scratch.path() / "reached" / file) == toy::bytes_of(scratch.path() / "whole" / file)) << file;
  }
}

TEST(Train, AveragesEveryEpoch) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment(32);
  const Model model = toy::tiny_bert();
  const auto set = select_parameters(*model.family, {});
  auto job = toy::job(model, task, {{"epochs", 3}, {"batch_size", 16}}, scratch.path() / "work");
  job.observers.push_back(make_trajectory_recorder(scratch.path() / "trajectory", set, RowType::float32, 0));
  job.observers.push_back(make_weight_averager(scratch.path() / "mean.safetensors", 0));
  const TrainResult result = train(std::move(job));

  const Trajectory trajectory = Trajectory::open(scratch.path() / "trajectory");
  ASSERT_EQ(trajectory.size(), 3);
  EXPECT_EQ(trajectory.points()[2].step, 6);
  const Rows rows = trajectory.differences();
  at::Tensor mean = at::zeros({rows.columns}, at::kDouble);
  for (const void* row : rows.data) mean += at::from_blob(const_cast<void*>(row), {rows.columns}, at::kFloat).to(at::kDouble) / 3;
  const at::Tensor origin = flatten(model.weights, set.layout);
  const at::Tensor averaged = flatten(load_weights(scratch.path() / "mean.safetensors", *model.family), set.layout);
  EXPECT_LT((averaged - origin - mean).abs().max().item<double>(), 1e-6);
  const at::Tensor last = at::from_blob(const_cast<void*>(rows.data[2]), {rows.columns}, at::kFloat);
  EXPECT_LT((flatten(result.last_weights, set.layout) - origin - last).abs().max().item<double>(), 1e-6);
}

}  // namespace
}  // namespace tsrun
