#include "train/evaluate.h"

#include "train/batches.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/data/metrics.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace {

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

bool chosen(const Exam& exam) {
  const std::string answer = exam.reading.text("answer");
  return answer == "choose" || (answer == "auto" && exam.task->kind == TaskKind::multiple_choice);
}

}  // namespace

void evaluate_rows(const Examinee& model, const Exam& exam, Evaluation& evaluation, Predictions& predictions) {
  const EncodedSplit& split = exam.rows;
  const HeadSpec& head = model.family.head();
  predictions.values.assign(split.rows.size(), 0);
  predictions.logits.assign(split.rows.size(), {});
  for (const auto& rows : evaluation_batches(split, head.outputs)) {
    check_interrupt();
    const PackedBatch batch = to_device(pack(split, rows), head, model.device);
    const Output output = model.family.forward(model.weights, batch, {});
    evaluation.loss += task_loss(head, output, batch).item<double>() * static_cast<double>(rows.size());
    store(output.logits, head.kind, rows, predictions);
  }
  evaluation.loss /= static_cast<double>(std::max<int64_t>(1, split.size()));
  for (const auto& name : exam.task->metrics) evaluation.metrics[name] = metric(name, predictions.values, split.targets);
  evaluation.commonest_share = commonest_share(predictions.values);
}

Exam make_exam(const Model& model, const Task& task, const std::string& split, const Options& reading) {
  Exam exam;
  exam.task = &task;
  exam.split = &task.split(split);
  exam.tokenizer = model.tokenizer;
  exam.reading = reading;
  const EncodeOptions options = encode_options_for(*model.family, reading);
  exam.rows = encode_split(task, *exam.split, *model.tokenizer, options);
  if (chosen(exam)) exam.choices = encode_options(task, *exam.split, *model.tokenizer, options);
  return exam;
}

Evaluation evaluate(const Family& family, const Weights& weights, const Exam& exam, at::Device device, Predictions* predictions) {
  const at::NoGradGuard no_grad;
  const Examinee model{family, weights, device};
  Predictions answers;
  Evaluation evaluation;
  switch (exam.task->kind) {
    case TaskKind::classification:
    case TaskKind::regression:
      evaluate_rows(model, exam, evaluation, answers);
      break;
    case TaskKind::token_classification:
      evaluate_tags(model, exam, evaluation, answers);
      break;
    case TaskKind::language_modelling:
      evaluate_language(model, exam, evaluation);
      break;
    case TaskKind::multiple_choice:
    case TaskKind::text_to_text:
      evaluate_text(model, exam, evaluation, answers);
      break;
  }
  if (predictions) *predictions = std::move(answers);
  return evaluation;
}

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

}  // namespace tsrun
