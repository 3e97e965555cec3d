#include "train/evaluate.h"

#include "train/batches.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/data/metrics.h"
#include "tsrun/model/finite.h"

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

/// Of classes that several outputs stand for, the likelihood is the sum of theirs.
at::Tensor loss_of(const HeadSpec& head, const Output& output, const PackedBatch& batch, const std::vector<int64_t>& classes) {
  if (classes.empty()) return task_loss(head, output, batch);
  const at::Tensor log_p = at::log_softmax(output.logits, -1), own = at::tensor(classes, batch.targets.options());
  return -log_p.masked_fill(own.unsqueeze(0) != batch.targets.unsqueeze(1), -INFINITY).logsumexp(-1).mean();
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

bool chosen(const EvaluationSet& evaluation_set) {
  const std::string answer = evaluation_set.reading.text("answer");
  return answer == "choose" || (answer == "auto" && evaluation_set.task->kind == TaskKind::multiple_choice);
}

}  // namespace

namespace training {

void require_finite_scores(const EvaluatedModel& model, const at::Tensor& scores, const EncodedSplit& split, std::span<const int64_t> rows,
                           const std::vector<int64_t>& counts) {
  if (all_finite(scores)) return;
  require_finite(model.weights, "evaluation");
  int64_t first = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<size_t>(rows[i]);
    if (!all_finite(scores.narrow(0, first, counts[i])))
      throw NotFinite(
          fmt::format("evaluation: the logits of row {} (from 0) are not finite, though every weight is", split.examples.at(row)));
    first += counts[i];
  }
  internal_error("evaluation: logits that belong to no row");
}

void evaluate_rows(const EvaluatedModel& model, const EvaluationSet& evaluation_set, Evaluation& evaluation, Predictions& predictions) {
  const EncodedSplit& split = evaluation_set.rows;
  const HeadSpec& head = model.family.head();
  predictions.values.assign(split.rows.size(), 0);
  predictions.logits.assign(split.rows.size(), {});
  for (const auto& rows : evaluation_batches(split, head.outputs)) {
    check_interrupt();
    const PackedBatch batch = to_device(pack_batch(split, rows), head, model.device);
    const Output output = model.family.forward(model.weights, batch, {});
    require_finite_scores(model, output.logits, split, rows, std::vector<int64_t>(rows.size(), 1));
    evaluation.loss += loss_of(head, output, batch, evaluation_set.classes).item<double>() * static_cast<double>(rows.size());
    store(output.logits, head.kind, rows, predictions);
  }
  if (!evaluation_set.classes.empty())
    for (double& value : predictions.values) value = static_cast<double>(evaluation_set.classes[static_cast<size_t>(value)]);
  evaluation.loss /= static_cast<double>(std::max<int64_t>(1, split.size()));
  const auto answers = as_task_classes(*evaluation_set.task, predictions.values),
             targets = as_task_classes(*evaluation_set.task, split.targets);
  const int64_t classes = classes_of(*evaluation_set.task, *evaluation_set.split);
  for (const auto& name : evaluation_set.task->metrics) evaluation.metrics[name] = metric_value(name, answers, targets, classes);
  evaluation.top_answer_share = top_answer_share(predictions.values);
}

}  // namespace training

EvaluationSet make_evaluation_set(const Model& model, const Task& task, const std::string& split, const Options& reading) {
  EvaluationSet evaluation_set;
  evaluation_set.task = &task;
  evaluation_set.split = &task.split(split);
  evaluation_set.tokenizer = model.tokenizer;
  evaluation_set.reading = reading;
  const EncodeOptions options = encode_options_for(*model.family, reading);
  evaluation_set.rows = encode_split(task, *evaluation_set.split, *model.tokenizer, options);
  if (chosen(evaluation_set)) {
    evaluation_set.choices = encode_options(task, *evaluation_set.split, *model.tokenizer, options);
  } else if (task.kind == TaskKind::text_to_text || task.kind == TaskKind::multiple_choice) {
    evaluation_set.writing = writing_options(model, reading);
  }
  return evaluation_set;
}

Evaluation evaluate(const Family& family, const Weights& weights, const EvaluationSet& evaluation_set, at::Device device,
                    Predictions* predictions) {
  using namespace training;
  const at::NoGradGuard no_grad;
  const Weights placed = on_device(weights, device);
  const EvaluatedModel model{family, placed, device};
  Predictions answers;
  Evaluation evaluation;
  switch (evaluation_set.task->kind) {
    case TaskKind::classification:
    case TaskKind::regression:
      evaluate_rows(model, evaluation_set, evaluation, answers);
      break;
    case TaskKind::token_classification:
      evaluate_tags(model, evaluation_set, evaluation, answers);
      break;
    case TaskKind::language_modelling:
      evaluate_language(model, evaluation_set, evaluation);
      break;
    case TaskKind::multiple_choice:
    case TaskKind::text_to_text:
      evaluate_text(model, evaluation_set, evaluation, answers);
      break;
  }
  if (!std::isfinite(evaluation.loss))
    throw NotFinite(fmt::format("evaluation: the loss is {}, though all logits are finite", evaluation.loss));
  if (predictions) *predictions = std::move(answers);
  return evaluation;
}

nlohmann::json Evaluation::to_json() const {
  return {{"step", step}, {"epoch", epoch}, {"loss", loss}, {"metrics", metrics}, {"top_answer_share", top_answer_share}};
}

Evaluation Evaluation::from_json(const nlohmann::json& json) {
  const auto number = [](const nlohmann::json& value) { return value.is_null() ? std::nan("") : value.get<double>(); };
  Evaluation evaluation;
  evaluation.step = json.at("step").get<int64_t>();
  evaluation.epoch = json.at("epoch").get<double>();
  evaluation.loss = number(json.at("loss"));
  for (const auto& [name, value] : json.at("metrics").items()) evaluation.metrics[name] = number(value);
  evaluation.top_answer_share = number(json.at("top_answer_share"));
  return evaluation;
}

}  // namespace tsrun
