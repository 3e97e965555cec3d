// Evaluation of answers in words: written, or chosen by their likelihood.
#include "train/batches.h"
#include "train/evaluate.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/data/metrics.h"
#include "tsrun/data/words.h"
#include "tsrun/model/generate.h"

#include <algorithm>
#include <limits>

namespace tsrun {
namespace {

/// Position in `text` of the first of `stops`.
size_t stop_in(const std::string& text, const std::vector<std::string>& stops) {
  size_t first = std::string::npos;
  for (const std::string& stop : stops) first = std::min(first, text.find(stop));
  return first;
}

/// The prompt of every row as the model reads it.
std::vector<std::vector<int64_t>> prompts_of(const EncodedSplit& split, std::span<const int64_t> rows) {
  std::vector<std::vector<int64_t>> prompts;
  for (const int64_t row : rows) {
    const auto& ids = split.rows[static_cast<size_t>(row)].ids;
    const auto length = split.decoder_rows.empty() ? split.prompts[static_cast<size_t>(row)] : static_cast<int64_t>(ids.size());
    prompts.emplace_back(ids.begin(), ids.begin() + length);
  }
  return prompts;
}

GenerateOptions options_for(const Exam& exam, const std::vector<std::string>& stops) {
  GenerateOptions options = exam.writing;
  if (!stops.empty()) {
    options.stop = [&tokenizer = *exam.tokenizer, &stops](std::span<const int64_t> written) {
      return stop_in(tokenizer.decode(written, true), stops) != std::string::npos;
    };
  }
  return options;
}

/// The generated text without its frame.
std::string answer_text(const Exam& exam, const std::vector<int64_t>& ids, const std::vector<std::string>& stops) {
  std::string text = exam.tokenizer->decode(ids, /*skip_special_tokens=*/true);
  text = text.substr(0, stop_in(text, stops));
  const std::string& prefix = exam.task->answer_prefix;
  const size_t start = text.find_first_not_of(' ');
  if (!prefix.empty() && start != std::string::npos && text.compare(start, prefix.size(), prefix) == 0)
    text.erase(0, start + prefix.size());
  return text;
}

void write_answers(const Examinee& model, const Exam& exam, Predictions& predictions) {
  const auto stops = exam.reading.texts("stop");
  const GenerateOptions options = options_for(exam, stops);
  for (const auto& rows : evaluation_batches(exam.rows, 1)) {
    check_interrupt();
    const auto texts = generate(model.family, model.weights, prompts_of(exam.rows, rows), options, model.device);
    for (size_t i = 0; i < rows.size(); ++i)
      predictions.texts[static_cast<size_t>(exam.rows.examples[static_cast<size_t>(rows[i])])] = answer_text(exam, texts[i].ids, stops);
  }
}

/// The option that `text` spells, the right one where several are spelt alike; -1: none.
double written_option(const Example& example, const std::string& text) {
  const std::string wanted = lower_case(stripped(text));
  const auto is_wanted = [&](const std::string& option) { return lower_case(stripped(option)) == wanted; };
  if (is_wanted(example.answers.at(static_cast<size_t>(example.target)))) return example.target;
  const auto found = std::find_if(example.answers.begin(), example.answers.end(), is_wanted);
  return found == example.answers.end() ? -1 : static_cast<double>(found - example.answers.begin());
}

void score_answers(const Exam& exam, const Predictions& predictions, Evaluation& evaluation) {
  const bool options = exam.task->kind == TaskKind::multiple_choice;
  const auto accepted = options ? std::vector<std::vector<std::string>>() : accepted_answers(exam);
  const int64_t classes = classes_of(*exam.task, *exam.split);
  for (const auto& name : exam.task->metrics) {
    evaluation.metrics[name] = options ? metric(name, option_numbers(exam, predictions), right_options(exam), classes)
                                       : text_metric(name, {predictions.texts, accepted, exam.task->labels, exam.task->low});
  }
}

/// The texts that example `number` may be answered with.
const std::vector<std::string>& options_of(const Exam& exam, size_t number) {
  return exam.task->kind == TaskKind::multiple_choice ? exam.split->examples[number].answers : exam.task->labels;
}

void choose_answers(const Examinee& model, const Exam& exam, Predictions& predictions) {
  const auto likelihoods = row_likelihoods(model, exam.choices, *exam.tokenizer);
  const bool mean = exam.reading.text("choose_by") == "mean";
  predictions.values.assign(exam.split->examples.size(), 0);
  predictions.logits.assign(exam.split->examples.size(), {});
  for (size_t row = 0; row < likelihoods.size(); ++row) {
    const auto example = static_cast<size_t>(exam.choices.examples[row]);
    const double tokens = mean ? static_cast<double>(std::max<int64_t>(1, likelihoods[row].tokens)) : 1;
    predictions.logits[example].push_back(static_cast<float>(-likelihoods[row].sum / tokens));
  }
  for (size_t example = 0; example < predictions.logits.size(); ++example) {
    const auto& scores = predictions.logits[example];
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    predictions.values[example] = static_cast<double>(best);
    predictions.texts[example] = options_of(exam, example)[static_cast<size_t>(best)];
  }
}

}  // namespace

std::vector<std::vector<std::string>> accepted_answers(const Exam& exam) {
  std::vector<std::vector<std::string>> accepted;
  for (const Example& example : exam.split->examples) {
    const bool one = exam.task->kind == TaskKind::multiple_choice;
    accepted.push_back(one ? std::vector{example.answers[static_cast<size_t>(example.target)]} : example.answers);
  }
  return accepted;
}

std::vector<double> right_options(const Exam& exam) {
  std::vector<double> targets;
  for (const Example& example : exam.split->examples) targets.push_back(example.target);
  return targets;
}

std::vector<double> option_numbers(const Exam& exam, const Predictions& predictions) {
  if (!predictions.values.empty()) return predictions.values;
  std::vector<double> numbers;
  for (size_t row = 0; row < predictions.texts.size(); ++row)
    numbers.push_back(written_option(exam.split->examples[row], predictions.texts[row]));
  return numbers;
}

void evaluate_text(const Examinee& model, const Exam& exam, Evaluation& evaluation, Predictions& predictions) {
  Likelihood all;
  for (const Likelihood& row : row_likelihoods(model, exam.rows, *exam.tokenizer)) {
    all.sum += row.sum;
    all.tokens += row.tokens;
  }
  evaluation.loss = all.sum / static_cast<double>(std::max<int64_t>(1, all.tokens));
  predictions.texts.assign(exam.split->examples.size(), {});
  if (exam.choices.size() > 0) {
    choose_answers(model, exam, predictions);
  } else {
    write_answers(model, exam, predictions);
  }
  score_answers(exam, predictions, evaluation);
  evaluation.commonest_share = commonest_share(predictions.texts);
}

}  // namespace tsrun
