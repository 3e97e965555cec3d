#include "train/evaluate.h"

#include "train/batches.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/data/metrics.h"
#include "tsrun/model/finite.h"

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

/// Options of generation for answers in words: the task's, else those of the model's folder.
GenerateOptions writing_options(const Model& model, const Options& reading) {
  nlohmann::json given = {{"max_new_tokens", reading.integer("max_answer_length")}};
  for (const char* name : {"num_beams", "length_penalty", "do_sample"}) given[name] = reading.value(name);
  const GenerateOptions options = generate_options(model.generation, *model.tokenizer, given, reading.integer("max_answer_length"));
  if (reading.has("length_penalty") && options.num_beams == 1)
    user_error("option 'length_penalty' is {}, but nothing reads it: one text alone is followed (num_beams = 1)",
               reading.value("length_penalty").dump());
  return options;
}

bool chosen(const Exam& exam) {
  const std::string answer = exam.reading.text("answer");
  return answer == "choose" || (answer == "auto" && exam.task->kind == TaskKind::multiple_choice);
}

}  // namespace

void require_finite_scores(const Examinee& model, const at::Tensor& scores, const EncodedSplit& split, std::span<const int64_t> rows,
                           const std::vector<int64_t>& counts) {
  if (all_finite(scores)) return;
  require_finite(model.weights, "evaluation");
  int64_t first = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<size_t>(rows[i]);
    if (!all_finite(scores.narrow(0, first, counts[i])))
      run_error("evaluation: the logits of row {} (from 0) are not finite, though every weight is", split.examples.at(row));
    first += counts[i];
  }
  internal_error("evaluation: logits that belong to no row");
}

void evaluate_rows(const Examinee& model, const Exam& exam, Evaluation& evaluation, Predictions& predictions) {
  const EncodedSplit& split = exam.rows;
  const HeadSpec& head = model.family.head();
  predictions.values.assign(split.rows.size(), 0);
  predictions.logits.assign(split.rows.size(), {});
  for (const auto& rows : evaluation_batches(split, head.outputs)) {
    check_interrupt();
    const PackedBatch batch = to_device(pack(split, rows), head, model.device);
    const Output output = model.family.forward(model.weights, batch, {});
    require_finite_scores(model, output.logits, split, rows, std::vector<int64_t>(rows.size(), 1));
    evaluation.loss += task_loss(head, output, batch).item<double>() * static_cast<double>(rows.size());
    store(output.logits, head.kind, rows, predictions);
  }
  evaluation.loss /= static_cast<double>(std::max<int64_t>(1, split.size()));
  const auto answers = as_task_classes(*exam.task, predictions.values), targets = as_task_classes(*exam.task, split.targets);
  const int64_t classes = classes_of(*exam.task, *exam.split);
  for (const auto& name : exam.task->metrics) evaluation.metrics[name] = metric(name, answers, targets, classes);
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
  if (chosen(exam)) {
    exam.choices = encode_options(task, *exam.split, *model.tokenizer, options);
  } else if (task.kind == TaskKind::text_to_text || task.kind == TaskKind::multiple_choice) {
    exam.writing = writing_options(model, reading);
  }
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
  if (!std::isfinite(evaluation.loss)) run_error("evaluation: the loss is {}, though all logits are finite", evaluation.loss);
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
