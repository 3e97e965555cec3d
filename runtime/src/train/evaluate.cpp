#include "tsrun/base/error.h"
#include "tsrun/data/metrics.h"
#include "tsrun/train/train.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun {
namespace {

constexpr int64_t kRows = 64;

/// Rows sorted by length (ties by row), so that batches are even; a row's logits do not depend on its neighbours.
std::vector<int64_t> by_length(const EncodedSplit& split) {
  std::vector<int64_t> order(split.rows.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return split.rows[static_cast<size_t>(a)].ids.size() < split.rows[static_cast<size_t>(b)].ids.size();
  });
  return order;
}

void store(const at::Tensor& logits, HeadKind kind, std::span<const int64_t> rows, Predictions& into) {
  const at::Tensor host = logits.to(at::kCPU, at::kFloat).contiguous();
  const float* value = host.const_data_ptr<float>();
  const int64_t outputs = host.size(1);
  for (const int64_t row : rows) {
    auto& answer = into.logits[static_cast<size_t>(row)];
    answer.assign(value, value + outputs);
    const auto largest = std::max_element(answer.begin(), answer.end()) - answer.begin();
    into.values[static_cast<size_t>(row)] = kind == HeadKind::regression ? static_cast<double>(answer[0]) : static_cast<double>(largest);
    value += outputs;
  }
}

/// Mean loss over the rows; fills `into` in row order.
double answer_rows(const Family& family, const Weights& weights, const EncodedSplit& split, at::Device device, Predictions& into) {
  const at::NoGradGuard no_grad;
  const auto order = by_length(split);
  into.values.assign(order.size(), 0);
  into.logits.assign(order.size(), {});
  double loss = 0;
  for (int64_t begin = 0; begin < split.size(); begin += kRows) {
    const auto rows = std::span(order).subspan(static_cast<size_t>(begin), static_cast<size_t>(std::min(kRows, split.size() - begin)));
    const PackedBatch batch = to_device(pack(split, rows), family.head(), device);
    const Output output = family.forward(weights, batch, {});
    loss += task_loss(family.head(), output, batch).item<double>() * static_cast<double>(rows.size());
    store(output.logits, family.head().kind, rows, into);
  }
  return loss / static_cast<double>(std::max<int64_t>(1, split.size()));
}

}  // namespace

nlohmann::json Evaluation::to_json() const {
  return {{"step", step}, {"epoch", epoch}, {"loss", loss}, {"metrics", metrics}, {"commonest_share", commonest_share}};
}

Evaluation Evaluation::from_json(const nlohmann::json& json) {
  const auto number = [](const nlohmann::json& value) { return value.is_null() ? std::nan("") : value.get<double>(); };
  Evaluation evaluation;
  evaluation.step = json.at("step").get<int64_t>();
  evaluation.epoch = json.at("epoch").get<double>();
  evaluation.loss = number(json.at("loss"));
  for (const auto& [name, value] : json.at("metrics").items()) evaluation.metrics[name] = number(value);
  evaluation.commonest_share = number(json.at("commonest_share"));
  return evaluation;
}

Predictions predict(const Family& family, const Weights& weights, const EncodedSplit& split, at::Device device) {
  Predictions predictions;
  answer_rows(family, weights, split, device, predictions);
  return predictions;
}

Evaluation evaluate(const Family& family, const Weights& weights, const Task& task, const EncodedSplit& split, at::Device device,
                    Predictions* predictions) {
  Predictions answers;
  Evaluation evaluation;
  evaluation.loss = answer_rows(family, weights, split, device, answers);
  for (const auto& name : task.metrics) evaluation.metrics[name] = metric(name, answers.values, split.targets);
  evaluation.commonest_share = commonest_share(answers.values);
  if (predictions) *predictions = std::move(answers);
  return evaluation;
}

}  // namespace tsrun
