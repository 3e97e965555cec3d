// Every option of a training, by every kind of task: it changes what comes out, or it is refused by name. What stays equal for a good
// reason is listed with it.
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/reading.h"
#include "unit/train/kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace tsrun {
namespace {

using namespace toy;
using nlohmann::json;

/// Another value of an option, and what must be said beside it for the option to have anything to do.
struct Trial {
  std::string option;
  json value, beside = json::object();
  double lr = 1e-2;
};
const std::vector<Trial>& trials() {
  const json sgd = {{"optim", "sgd"}}, adafactor = {{"optim", "adafactor"}, {"max_grad_norm", 0.0}}, often = {{"eval_every", 1}};
  static const std::vector<Trial> all = {
      {"epochs", 2},
      {"max_steps", 2},
      {"max_forward_passes", 3},
      {"batch_size", 8},
      {"gradient_accumulation_steps", 2},
      {"optim", "sgd"},
      {"adam_beta1", 0.5},
      {"adam_beta2", 0.5},
      {"adam_epsilon", 0.1},
      {"momentum", 0.9, sgd},
      {"clip_threshold", 0.01, adafactor},
      {"decay_rate", -0.1, adafactor},
      {"eps1", 0.01, adafactor},
      {"lr_scheduler_type", "constant"},
      {"warmup_ratio", 0.5},
      {"max_grad_norm", 0.001, sgd},
      {"label_smoothing_factor", 0.3},
      {"accepted_answers", "first"},
      {"eval_every", 1},
      {"early_stop", 1, often, 0.0},
      {"checkpoint_every", 1},
      {"precision", "bf16"},
      {"gradient_checkpointing", true},
      {"dropout", false},
      {"mlm_probability", 0.5},
      {"max_length", 6},
      {"blocks", "joined"},
      {"carry_state", false},
      {"max_answer_length", 1},
      {"answer", "generate"},
      {"choose_by", "mean"},
      {"num_beams", 4, {{"epochs", 10}}},
      {"length_penalty", 10.0, {{"num_beams", 4}, {"epochs", 10}}},  // so that some beams end
      {"do_sample", false},
      {"stop", {"a", "e", "o", "i", "u"}},
  };
  return all;
}

/// Options that are read within a subspace alone; solver_test.cpp tries them.
const std::set<std::string> kOfFewUnknowns = {"lbfgs_history", "lm_damping", "lm_jacobian", "lm_difference", "population",
                                              "sigma",         "spsa_a",     "spsa_c",      "spsa_stability"};

/// Why an option changes nothing, though it is read.
const std::map<std::string, std::string>& equal_everywhere() {
  static const std::map<std::string, std::string> reasons = {
      {"checkpoint_every", "a resumed run equals an undisturbed one"},
      {"gradient_checkpointing", "it trades memory for arithmetic; the numbers are the same"},
      {"dropout", "these models have none; step_events_test.cpp has one with"},
      {"do_sample", "texts are never sampled; it lets a model write whose folder asks for samples"},
  };
  return reasons;
}

struct Kind {
  std::string name;
  TaskModel (*with)(const Task&);
  Task (*task)();
  std::set<std::string> refused;                  ///< options that nothing reads
  std::map<std::string, std::string> equal = {};  ///< and those that are limits no row reaches
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

Task few(Task task) {
  limit_rows(task, "train", 12);
  limit_rows(task, "dev", 6);
  return task;
}
Task few_classes() { return few(sentiment()); }
Task few_degrees() { return few(degrees()); }
Task few_tags() { return few(tags()); }
Task few_documents() { return few(documents()); }
/// Options of different lengths.
Task few_choices() {
  Task task = few(choices());
  for (auto& [name, split] : task.splits)
    for (Example& example : split.examples) example.answers = {"was poor and so was the plot", "was fine"};
  return task;
}
/// Two accepted answers a row.
Task few_answers() {
  Task task = few(as_text_to_text(sentiment_in_words()));
  for (auto& [name, split] : task.splits)
    for (Example& example : split.examples) example.answers.emplace_back(example.answers[0] == "poor" ? "dull" : "good");
  return task;
}

const std::set<std::string> kWords = {"answer", "choose_by", "num_beams", "length_penalty", "do_sample", "stop"};
std::set<std::string> with_words(std::set<std::string> more) {
  more.insert(kWords.begin(), kWords.end());
  return more;
}
const std::map<std::string, std::string> kNoAnswers = {{"max_answer_length", "a limit, and there are no answers to reach it"}};

std::vector<Kind> kinds() {
  const std::set<std::string> rows = with_words({"accepted_answers", "mlm_probability", "blocks", "carry_state"});
  const std::set<std::string> values =
      with_words({"accepted_answers", "mlm_probability", "blocks", "carry_state", "label_smoothing_factor"});
  const std::set<std::string> written = {"mlm_probability", "blocks", "carry_state", "choose_by"};
  const std::set<std::string> chosen = {"mlm_probability", "blocks",         "carry_state", "accepted_answers",
                                        "num_beams",       "length_penalty", "do_sample",   "stop"};
  return {
      {"EncoderClassification", with_bert, few_classes, rows, kNoAnswers},
      {"EncoderRegression", with_bert, few_degrees, values, kNoAnswers},
      {"EncoderTags", with_bert, few_tags, rows, kNoAnswers},
      {"EncoderLanguage", with_bert, few_documents, with_words({"accepted_answers", "carry_state"}), kNoAnswers},
      {"CausalClassification", with_gpt2, few_classes, rows, kNoAnswers},
      {"CausalRegression", with_gpt2, few_degrees, values, kNoAnswers},
      {"CausalTags", with_gpt2, few_tags, rows, kNoAnswers},
      {"CausalLanguage", with_gpt2, few_documents, with_words({"accepted_answers", "mlm_probability", "carry_state"}), kNoAnswers},
      {"CausalAnswers", with_gpt2, few_answers, written, {{"answer", "the default writes, too"}}},
      {"CausalChoice", with_gpt2, few_choices, chosen},
      {"EncoderDecoderAnswers", with_t5, few_answers, written, {{"answer", "the default writes, too"}}},
      {"EncoderDecoderChoice", with_t5, few_choices, chosen},
  };
}

/// Everything that an option could change: trained weights, evaluations and answers.
std::string fingerprint(const TaskModel& small, json options, double lr) {
  const TrainResult result = small.train(options, lr);
  json all = {{"evaluations", json::array()}, {"steps", result.report.steps}};
  for (const Evaluation& evaluation : result.evaluations) all["evaluations"].push_back(evaluation.to_json());
  for (const std::string& name : result.last_weights.names())
    all["weights"].push_back(result.last_weights.at(name).to(at::kDouble).square().sum().item<double>());
  json reading = json::object();
  const OptionTable known = text_options();
  for (const Option& option : known.all())
    if (options.contains(option.name)) reading[option.name] = options[option.name];
  reading["max_length"] = reading.value("max_length", 24);
  Predictions predictions;
  const EvaluationSet evaluation_set = make_evaluation_set(small.model, small.task, "dev", text_options().resolve(reading, "test"));
  evaluate(*small.model.family, result.last_weights, evaluation_set, at::kCPU, &predictions);
  all["answers"] = {predictions.values, predictions.logits, predictions.texts, predictions.tags};
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// The message of a refusal; empty when the option is taken, with what came out in `found`.
std::string tried(const TaskModel& small, const json& options, double lr, std::string& found) {
  try {
    found = fingerprint(small, options, lr);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user) << error.what();
    return error.what();
  }
}

class TrainingOptions : public ::testing::TestWithParam<Kind> {};

TEST_P(TrainingOptions, EveryOptionActs_OrIsRefusedByName) {
  const Kind& kind = GetParam();
  const TaskModel small = kind.with(kind.task());
  std::map<std::string, std::string> defaults;
  for (const Trial& trial : trials()) {
    json options = {{"epochs", 1}, {"batch_size", 4}, {"max_answer_length", 4}};
    options.update(trial.beside);
    if (kind.refused.contains(trial.option)) options.erase("num_beams");
    std::string& plain = defaults[options.dump() + std::to_string(trial.lr)];
    if (plain.empty()) plain = fingerprint(small, options, trial.lr);
    options[trial.option] = trial.value;
    std::string found;
    const std::string refusal = tried(small, options, trial.lr, found);
    if (kind.refused.contains(trial.option)) {
      EXPECT_THAT(refusal, ::testing::HasSubstr("option '" + trial.option + "' is ")) << trial.option;
      EXPECT_THAT(refusal, ::testing::HasSubstr("but nothing reads it")) << trial.option;
    } else if (kind.equal.contains(trial.option) || equal_everywhere().contains(trial.option)) {
      EXPECT_EQ(refusal, "") << trial.option;
      EXPECT_EQ(found, plain) << trial.option << " changes the result; take it off the list";
    } else {
      EXPECT_EQ(refusal, "") << trial.option;
      EXPECT_NE(found, plain) << trial.option << " changes nothing";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TrainingOptions, ::testing::ValuesIn(kinds()), [](const auto& info) { return info.param.name; });

TEST(OptionTable, TriesEveryOptionOfATraining) {
  std::set<std::string> tried = kOfFewUnknowns, known;
  for (const Trial& trial : trials()) tried.insert(trial.option);
  const OptionTable table = train_options();
  for (const Option& option : table.all()) known.insert(option.name);
  EXPECT_EQ(tried, known);
}

TEST(OptionTable, RefusesWhatAnotherOptionSwitchesOff) {
  const TaskModel small = with_bert(few_classes());
  const std::vector<std::pair<json, std::string>> all = {
      {{{"momentum", 0.9}}, "momentum"},
      {{{"optim", "sgd"}, {"adam_beta1", 0.8}}, "adam_beta1"},
      {{{"optim", "sgd"}, {"eps1", 1e-9}}, "eps1"},
      {{{"optim", "adafactor"}, {"adam_epsilon", 1e-6}}, "adam_epsilon"},
      {{{"clip_threshold", 2.0}}, "clip_threshold"},
      {{{"early_stop", 2}, {"eval_every", -1}}, "early_stop"},
  };
  for (const auto& [options, name] : all) {
    std::string found;
    EXPECT_THAT(tried(small, options, 1e-2, found), ::testing::HasSubstr("option '" + name + "' is ")) << options;
  }
  const TaskModel writer = with_gpt2(few_answers());
  std::string found;
  EXPECT_THAT(tried(writer, {{"length_penalty", 2.0}}, 1e-2, found), ::testing::HasSubstr("option 'length_penalty' is 2.0"));
  EXPECT_EQ(
      tried(writer, {{"max_steps", 1}, {"max_answer_length", 2}, {"label_smoothing_factor", 0.0}, {"mlm_probability", 0.15}}, 1e-2, found),
      "")
      << "a default may be said";
}

}  // namespace
}  // namespace tsrun
