#pragma once

#include "support/golden_models.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"
#include "tsrun/train/train.h"
#include "unit/train/toy.h"

#include <gtest/gtest.h>

#include <algorithm>

/// Trainings of tests/goldens/step_methods.json (make_step_methods.py tells what it holds), for tests of selectors and regularisers.
namespace tsrun {

inline const nlohmann::json& step_goldens() {
  static const nlohmann::json all = read_json(goldens() / "step_methods.json");
  return all;
}

/// The script's `uniform`: `count` numbers in [0, 1), float64.
inline at::Tensor golden_uniform(int64_t seed, int64_t count) {
  at::Tensor numbers = at::empty({count}, at::kDouble);
  double* out = numbers.mutable_data_ptr<double>();
  for (int64_t i = 0; i < count; ++i) {
    auto x = static_cast<uint32_t>(static_cast<uint64_t>(i) + static_cast<uint64_t>(seed) * 2654435761U);
    x = (x ^ (x >> 16)) * 0x7FEB352DU;
    x = (x ^ (x >> 15)) * 0x846CA68BU;
    out[i] = static_cast<double>(x ^ (x >> 16)) * 0x1p-32;
  }
  return numbers;
}

/// The script's numbers for a parameter in a step: one for each of `shape`'s elements.
inline at::Tensor golden_numbers(const ParameterInfo& info, int64_t step, const std::vector<int64_t>& shape) {
  const auto names = step_goldens().at("names").get<std::vector<std::string>>();
  const int64_t place = std::find(names.begin(), names.end(), info.name) - names.begin();
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return golden_uniform(1000 * (step + 1) + place, count).view(shape);
}

/// The script's kept entries, for `mixed_weight`: true with probability 1 - p.
inline at::Tensor golden_kept(const ParameterInfo& info, int64_t step, double p, bool per_input) {
  const bool shared = per_input && info.shape.size() == 2;
  return golden_numbers(info, step, shared ? std::vector<int64_t>{info.shape[1]} : info.shape) >= p;
}

/// The rows of the goldens; every batch is all of them.
inline Task golden_step_task() {
  const auto text = [](const nlohmann::json& ids) {
    std::string words;
    for (const auto& id : ids) words += fmt::format("w{} ", id.get<int>());
    return words;
  };
  Split split;
  split.digest = "goldens";
  for (const auto& row : step_goldens().at("rows")) {
    const auto number = static_cast<int64_t>(split.examples.size());
    const std::optional<std::string> second = row[1].empty() ? std::nullopt : std::optional(text(row[1]));
    split.examples.push_back({text(row[0]), second, step_goldens().at("targets")[static_cast<size_t>(number)].get<double>(), number});
  }
  Task task;
  task.name = task.digest = "goldens";
  task.labels = {"a", "b", "c"};
  task.metrics = {"accuracy"};
  for (const char* name : {"train", "dev"}) task.splits[name] = split, task.splits[name].name = name;
  return task;
}

/// Trains as the case `name` was, with `plugin`, and compares what every parameter moved by.
inline void expect_step_golden(const std::string& name, StepPlugin plugin) {
  constexpr double tolerance = 1e-5;
  const nlohmann::json &all = step_goldens(), &settings = all.at("training");
  set_threads(1);  // two would only wait for each other over tensors this small
  Model model = golden_model("bert");
  model.tokenizer = make_wordpiece(all.at("words").get<std::vector<std::string>>());
  const Task task = golden_step_task();
  const toy::Scratch scratch;
  const auto rows = static_cast<int64_t>(task.split("train").examples.size());
  TrainJob job = toy::job(model, task,
                          {{"max_steps", settings.at("steps")},
                           {"batch_size", rows},
                           {"adam_epsilon", settings.at("adam_epsilon")},
                           {"max_grad_norm", settings.at("max_grad_norm")},
                           {"max_length", 24},
                           {"eval_every", -1},
                           {"dropout", false}},
                          scratch.path());
  job.tune.lr = job.tune.lr_embeddings = job.tune.lr_head = settings.at("lr").get<double>();
  job.tune.weight_decay = settings.at("weight_decay").get<double>();
  job.plugins.push_back(std::move(plugin));
  const TrainResult result = train(std::move(job));
  for (size_t i = 0; i < all.at("names").size(); ++i) {
    const std::string parameter = all.at("names")[i].get<std::string>();
    const at::Tensor moved = (result.last_weights.at(parameter).to(at::kDouble) - model.weights.at(parameter).to(at::kDouble)).flatten();
    const at::Tensor weights = at::arange(1, moved.numel() + 1, at::kDouble).cos();
    const nlohmann::json& expected = all.at("cases").at(name).at("moved")[i];
    EXPECT_NEAR(moved.norm().item<double>(), expected[0].get<double>(), tolerance) << name << ' ' << parameter;
    EXPECT_NEAR(moved.dot(weights).item<double>(), expected[1].get<double>(), tolerance) << name << ' ' << parameter;
  }
}

}  // namespace tsrun
