#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/metrics.h"
#include "tsrun/data/words.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tsrun {
namespace {

/// Score of one prediction against one accepted answer, both stripped.
using RowScore = double (*)(std::string_view prediction, std::string_view answer);

double exact_row(std::string_view prediction, std::string_view answer) { return prediction == answer; }
double caseless_row(std::string_view prediction, std::string_view answer) { return lower_case(prediction) == lower_case(answer); }

/// F1 of `common` of so many items; two empty sides are equal.
double f1_of(double common, size_t predicted, size_t actual) {
  if (predicted == 0 && actual == 0) return 1;
  return common == 0 ? 0 : 2 * common / static_cast<double>(predicted + actual);
}

/// Words in common as bags, as SQuAD's evaluation counts them.
double token_f1_row(std::string_view prediction, std::string_view answer) {
  const std::vector<std::string> predicted = squad_words(prediction), actual = squad_words(answer);
  std::map<std::string, int64_t> left;
  for (const std::string& word : actual) ++left[word];
  double common = 0;
  for (const std::string& word : predicted) {
    const auto found = left.find(word);
    if (found != left.end() && found->second-- > 0) ++common;
  }
  return f1_of(common, predicted.size(), actual.size());
}

/// Longest common subsequence of words (Lin 2004, section 3.1, with equal weight of precision and recall).
double rouge_l_row(std::string_view prediction, std::string_view answer) {
  const std::vector<std::string_view> predicted = split_words(prediction), actual = split_words(answer);
  std::vector<int64_t> longest(actual.size() + 1, 0);
  for (const std::string_view word : predicted) {
    int64_t diagonal = 0;
    for (size_t at = 1; at <= actual.size(); ++at) {
      const int64_t above = longest[at];
      longest[at] = word == actual[at - 1] ? diagonal + 1 : std::max(above, longest[at - 1]);
      diagonal = above;
    }
  }
  return f1_of(static_cast<double>(longest.back()), predicted.size(), actual.size());
}

double mean_of_best(const TextAnswers& answers, RowScore score) {
  double sum = 0;
  for (size_t row = 0; row < answers.predictions.size(); ++row) {
    double best = 0;
    for (const std::string& answer : answers.accepted[row])
      best = std::max(best, score(stripped(answers.predictions[row]), stripped(answer)));
    sum += best;
  }
  return sum / static_cast<double>(answers.predictions.size());
}

std::string_view first_answer(const TextAnswers& answers, size_t row) {
  return answers.accepted[row].empty() ? std::string_view() : stripped(answers.accepted[row].front());
}

/// Class texts in the order in which they first come, and their indices.
std::map<std::string_view, double> class_indices(const TextAnswers& answers) {
  std::map<std::string_view, double> indices;
  for (const std::string& label : answers.labels) indices.emplace(stripped(label), static_cast<double>(indices.size()));
  for (size_t row = 0; answers.labels.empty() && row < answers.predictions.size(); ++row)
    indices.emplace(first_answer(answers, row), static_cast<double>(indices.size()));
  return indices;
}

/// Scores both sides as numbers.
template <class Number>
double score_numbers(std::string_view name, const TextAnswers& answers, int64_t classes, const Number& number) {
  std::vector<double> predictions, targets;
  for (size_t row = 0; row < answers.predictions.size(); ++row) {
    predictions.push_back(number(stripped(answers.predictions[row])));
    targets.push_back(number(first_answer(answers, row)));
  }
  return metric_value(name, predictions, targets, classes);
}

/// An answer outside the classes: in macro_f1 a miss of its own class, in matthews one more class.
double class_score(std::string_view name, const TextAnswers& answers) {
  const auto indices = class_indices(answers);
  return score_numbers(name, answers, static_cast<int64_t>(indices.size()), [&](std::string_view text) {
    const auto found = indices.find(text);
    return found == indices.end() ? -1.0 : found->second;
  });
}

double number_of(std::string_view text, double otherwise) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  return result.ec == std::errc() && result.ptr == end && std::isfinite(value) ? value : otherwise;
}

double correlation(std::string_view name, const TextAnswers& answers) {
  return score_numbers(name, answers, 0, [&](std::string_view text) { return number_of(text, answers.low); });
}

}  // namespace

double text_metric(std::string_view name, const TextAnswers& answers) {
  const auto& known = metric_names(TaskKind::text_to_text);
  if (answers.predictions.size() != answers.accepted.size()) {
    internal_error("metric '{}' got {} predictions for {} rows, expected as many", name, answers.predictions.size(),
                   answers.accepted.size());
  }
  if (std::find(known.begin(), known.end(), name) == known.end())
    user_error("unknown metric '{}' of answers{}, expected one of {}", name, did_you_mean(name, known), join_words(known));
  if (answers.predictions.empty()) return std::nan("");
  if (name == "exact_match") return mean_of_best(answers, exact_row);
  if (name == "accuracy") return mean_of_best(answers, caseless_row);
  if (name == "token_f1") return mean_of_best(answers, token_f1_row);
  if (name == "rouge_l") return mean_of_best(answers, rouge_l_row);
  return name == "macro_f1" || name == "matthews" ? class_score(name, answers) : correlation(name, answers);
}

double top_answer_share(std::span<const std::string> predictions) {
  std::map<std::string_view, double> indices;
  std::vector<double> classes;
  for (const std::string& prediction : predictions)
    classes.push_back(indices.emplace(stripped(prediction), static_cast<double>(indices.size())).first->second);
  return top_answer_share(std::span<const double>(classes));
}

}  // namespace tsrun
