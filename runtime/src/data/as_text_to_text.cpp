#include "data/task_file.h"
#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace tsrun {
namespace data {
namespace {

constexpr const char* kOptions = "options";  ///< names the lettered options in a prompt

/// Default prompt "rte text_a: {text_a} text_b: {text_b}", as T5's (Raffel et al. 2020, appendix D).
std::string default_prompt(const Task& task) {
  std::string prompt = escape_braces(task.name);
  for (const std::string& column : prompt_columns(task)) prompt += column == kOptions ? " {options}" : " " + column + ": {" + column + "}";
  return prompt;
}

Verbaliser verbaliser_of(const Task& task) {
  Verbaliser verbaliser = task.verbaliser.value_or(Verbaliser{default_prompt(task), {}});
  if (verbaliser.answers.empty() && task.kind == TaskKind::classification) verbaliser.answers = task.labels;
  if (!verbaliser.answers.empty() && verbaliser.answers.size() != task.labels.size())
    user_error("task '{}': the verbaliser has {} answers, expected {}, one a label", task.name, verbaliser.answers.size(),
               task.labels.size());
  return verbaliser;
}

/// "(A) red (B) blue"; behind Z come numbers.
std::string lettered(const std::vector<std::string>& options) {
  std::string text;
  for (size_t at = 0; at < options.size(); ++at) {
    const std::string mark = at < 26 ? std::string(1, static_cast<char>('A' + at)) : std::to_string(at + 1);
    text += fmt::format("{}({}) {}", at == 0 ? "" : " ", mark, options[at]);
  }
  return text;
}

/// One decimal of the nearest multiple of 0.2, halves to even, as T5 wrote STS-B's scores.
std::string number_text(double value) { return fmt::format("{:.1f}", std::nearbyint(value * 5) / 5 + 0.0); }

std::string answer_of(const Task& task, const Verbaliser& verbaliser, const Example& example) {
  if (task.kind == TaskKind::regression) return number_text(example.target);
  const auto& answers = verbaliser.answers.empty() ? example.answers : verbaliser.answers;
  const auto index = static_cast<size_t>(example.target);
  if (example.target < 0 || index >= answers.size())
    internal_error("task '{}' has {} answers, found the target {}", task.name, answers.size(), example.target);
  return answers[index];
}

Example example_in_words(const Task& task, const Verbaliser& verbaliser, const Template& prompt, const Example& example) {
  const std::string options = lettered(example.answers);
  std::vector<std::string_view> texts = {example.first};
  if (task.kind == TaskKind::multiple_choice) texts.push_back(options);
  if (task.kind != TaskKind::multiple_choice) texts.push_back(example.second ? *example.second : std::string_view());
  Example out;
  out.first = prompt.fill(texts);
  out.target = example.target;
  out.row = example.row;
  out.answers = {answer_of(task, verbaliser, example)};
  return out;
}

/// Class 1 is no class of a text, so the f1 of two classes becomes the mean over all.
std::vector<std::string> text_metrics_of(const Task& task) {
  std::vector<std::string> names;
  for (const std::string& name : task.metrics) {
    const std::string text_name = name == "f1" ? "macro_f1" : name;
    if (std::find(names.begin(), names.end(), text_name) == names.end()) names.push_back(text_name);
  }
  return names;
}

std::string digest_of(const Task& task, const Verbaliser& verbaliser) {
  Sha256 hash;
  hash.update(fmt::format("text_to_text {} {}:{}", task.digest, verbaliser.prompt.size(), verbaliser.prompt));
  for (const std::string& answer : verbaliser.answers) hash.update(fmt::format(" {}:{}", answer.size(), answer));
  return hash.hex();
}

Template template_of(const Task& task, const Verbaliser& verbaliser) {
  try {
    return Template(verbaliser.prompt, prompt_columns(task));
  } catch (const std::invalid_argument& problem) {
    user_error("task '{}': in the verbaliser's prompt: {}", task.name, problem.what());
  }
}

}  // namespace

std::vector<std::string> prompt_columns(const Task& task) {
  const bool choice = task.kind == TaskKind::multiple_choice;
  const size_t texts = choice                                                                ? 1
                       : task.splits.empty() || task.splits.begin()->second.examples.empty() ? task.columns.size()
                                                                                             : 1 + task.has_pairs();
  const auto spelt = [](const std::string& name) { return name.find_first_of("{}") == std::string::npos; };
  std::vector<std::string> columns = task.columns;
  if (columns.size() != texts || !std::all_of(columns.begin(), columns.end(), spelt)) {
    columns = {"text_a", "text_b"};
    columns.resize(std::clamp<size_t>(texts, 1, 2));
  }
  if (choice) columns.emplace_back(kOptions);
  return columns;
}

}  // namespace data

Task as_text_to_text(const Task& task) {
  if (task.kind == TaskKind::text_to_text) return task;
  if (task.kind == TaskKind::token_classification || task.kind == TaskKind::language_modelling) {
    user_error("task '{}' is a {}, expected a classification, regression, multiple_choice or text_to_text", task.name, name_of(task.kind));
  }
  const Verbaliser verbaliser = data::verbaliser_of(task);
  const data::Template prompt = data::template_of(task, verbaliser);
  Task out = task;
  out.kind = TaskKind::text_to_text;
  out.verbaliser = verbaliser;
  out.labels = verbaliser.answers;
  out.metrics = data::text_metrics_of(task);
  out.columns = {"prompt"};
  out.digest = data::digest_of(task, verbaliser);
  for (auto& [name, split] : out.splits) {
    for (Example& example : split.examples) example = data::example_in_words(task, verbaliser, prompt, example);
    if (!split.examples.empty()) data::score_majority(split, out);
  }
  return out;
}

}  // namespace tsrun
