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

namespace tsrun::training {
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

GenerateOptions options_for(const EvaluationSet& evaluation_set, const std::vector<std::string>& stops) {
  GenerateOptions options = evaluation_set.writing;
  if (!stops.empty()) {
    options.stop = [&tokenizer = *evaluation_set.tokenizer, &stops](std::span<const int64_t> written) {
      return stop_in(tokenizer.decode(written, true), stops) != std::string::npos;
    };
  }
  return options;
}

/// The generated text without its frame.
std::string answer_text(const EvaluationSet& evaluation_set, const std::vector<int64_t>& ids, const std::vector<std::string>& stops) {
  std::string text = evaluation_set.tokenizer->decode(ids, /*skip_special_tokens=*/true);
  text = text.substr(0, stop_in(text, stops));
  const std::string& prefix = evaluation_set.task->answer_prefix;
  const size_t start = text.find_first_not_of(' ');
  if (!prefix.empty() && start != std::string::npos && text.compare(start, prefix.size(), prefix) == 0)
    text.erase(0, start + prefix.size());
  return text;
}

void write_answers(const EvaluatedModel& model, const EvaluationSet& evaluation_set, Predictions& predictions) {
  const auto stops = evaluation_set.reading.texts("stop");
  const GenerateOptions options = options_for(evaluation_set, stops);
  for (const auto& rows : evaluation_batches(evaluation_set.rows, 1)) {
    check_interrupt();
    const auto texts = generate(model.family, model.weights, prompts_of(evaluation_set.rows, rows), options, model.device);
    for (size_t i = 0; i < rows.size(); ++i)
      predictions.texts[static_cast<size_t>(evaluation_set.rows.examples[static_cast<size_t>(rows[i])])] =
          answer_text(evaluation_set, texts[i].ids, stops);
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

void score_answers(const EvaluationSet& evaluation_set, const Predictions& predictions, Evaluation& evaluation) {
  const bool options = evaluation_set.task->kind == TaskKind::multiple_choice;
  const auto accepted = options ? std::vector<std::vector<std::string>>() : accepted_answers(evaluation_set);
  const int64_t classes = classes_of(*evaluation_set.task, *evaluation_set.split);
  for (const auto& name : evaluation_set.task->metrics) {
    evaluation.metrics[name] =
        options ? metric_value(name, option_numbers(evaluation_set, predictions), right_options(evaluation_set), classes)
                : text_metric(name, {predictions.texts, accepted, evaluation_set.task->labels, evaluation_set.task->low});
  }
}

/// The texts that example `number` may be answered with.
const std::vector<std::string>& options_of(const EvaluationSet& evaluation_set, size_t number) {
  return evaluation_set.task->kind == TaskKind::multiple_choice ? evaluation_set.split->examples[number].answers
                                                                : evaluation_set.task->labels;
}

void choose_answers(const EvaluatedModel& model, const EvaluationSet& evaluation_set, Predictions& predictions) {
  const auto likelihoods = row_likelihoods(model, evaluation_set.choices, *evaluation_set.tokenizer);
  const bool mean = evaluation_set.reading.text("choose_by") == "mean";
  predictions.values.assign(evaluation_set.split->examples.size(), 0);
  predictions.logits.assign(evaluation_set.split->examples.size(), {});
  for (size_t row = 0; row < likelihoods.size(); ++row) {
    const auto example = static_cast<size_t>(evaluation_set.choices.examples[row]);
    const double tokens = mean ? static_cast<double>(std::max<int64_t>(1, likelihoods[row].tokens)) : 1;
    predictions.logits[example].push_back(static_cast<float>(-likelihoods[row].sum / tokens));
  }
  for (size_t example = 0; example < predictions.logits.size(); ++example) {
    const auto& scores = predictions.logits[example];
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    predictions.values[example] = static_cast<double>(best);
    predictions.texts[example] = options_of(evaluation_set, example)[static_cast<size_t>(best)];
  }
}

}  // namespace

std::vector<std::vector<std::string>> accepted_answers(const EvaluationSet& evaluation_set) {
  std::vector<std::vector<std::string>> accepted;
  for (const Example& example : evaluation_set.split->examples) {
    const bool one = evaluation_set.task->kind == TaskKind::multiple_choice;
    accepted.push_back(one ? std::vector{example.answers[static_cast<size_t>(example.target)]} : example.answers);
  }
  return accepted;
}

std::vector<double> right_options(const EvaluationSet& evaluation_set) {
  std::vector<double> targets;
  for (const Example& example : evaluation_set.split->examples) targets.push_back(example.target);
  return targets;
}

std::vector<double> option_numbers(const EvaluationSet& evaluation_set, const Predictions& predictions) {
  if (!predictions.values.empty()) return predictions.values;
  std::vector<double> numbers;
  for (size_t row = 0; row < predictions.texts.size(); ++row)
    numbers.push_back(written_option(evaluation_set.split->examples[row], predictions.texts[row]));
  return numbers;
}

void evaluate_text(const EvaluatedModel& model, const EvaluationSet& evaluation_set, Evaluation& evaluation, Predictions& predictions) {
  Likelihood all;
  for (const Likelihood& row : row_likelihoods(model, evaluation_set.rows, *evaluation_set.tokenizer)) {
    all.sum += row.sum;
    all.tokens += row.tokens;
  }
  evaluation.loss = all.sum / static_cast<double>(std::max<int64_t>(1, all.tokens));
  predictions.texts.assign(evaluation_set.split->examples.size(), {});
  if (evaluation_set.choices.size() > 0) {
    choose_answers(model, evaluation_set, predictions);
  } else {
    write_answers(model, evaluation_set, predictions);
  }
  score_answers(evaluation_set, predictions, evaluation);
  evaluation.top_answer_share = top_answer_share(predictions.texts);
}

}  // namespace tsrun::training
