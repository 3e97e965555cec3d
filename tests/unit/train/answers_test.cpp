// Whose class an output is, and what becomes of scores that are not numbers.
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/reading.h"
#include "unit/train/toy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Model named(const std::vector<std::string>& names) {
  const Model plain = toy::tiny_bert({HeadKind::classification, 2}, 0.0);
  nlohmann::json config = plain.family->config();
  for (size_t i = 0; i < names.size(); ++i) config["id2label"][std::to_string(i)] = names[i];
  return initialise_model(config, plain.family->head(), plain.tokenizer, Key::root(3));
}

Evaluation evaluated(Task task, Model model, Predictions* predictions = nullptr) {
  match_labels(task, model, false, "toy");
  const Options reading = text_options().resolve({{"max_length", 24}}, "test");
  return evaluate(*model.family, model.weights, make_evaluation_set(model, task, "dev", reading), at::kCPU, predictions);
}

/// What `action` writes to standard error.
template <class Action>
std::string logged(Action action) {
  ::testing::internal::CaptureStderr();
  action();
  return ::testing::internal::GetCapturedStderr();
}

TEST(LabelNames, DecideWhichClassAnOutputIs) {
  Task task = toy::sentiment();
  task.metrics = {"f1", "accuracy", "pearson", "matthews"};
  const Model plain = named({});
  Model turned = named({"PRAISE", "Blame"});
  for (const char* name : {"classifier.weight", "classifier.bias"}) turned.weights.set(name, turned.weights.at(name).flip(0).contiguous());
  Predictions predictions, turned_predictions;
  const Evaluation found = evaluated(task, plain, &predictions), same = evaluated(task, turned, &turned_predictions);
  EXPECT_EQ(found.metrics, same.metrics);
  EXPECT_NEAR(found.loss, same.loss, 1e-6);
  for (size_t row = 0; row < predictions.values.size(); ++row) {
    EXPECT_EQ(predictions.values[row], 1 - turned_predictions.values[row]);
    EXPECT_EQ(predictions.logits[row][0], turned_predictions.logits[row][1]);
  }
  EXPECT_LT(found.metrics.at("accuracy"), 1);
  const Evaluation other = evaluated(task, named({"praise", "blame"}));
  EXPECT_NEAR(other.metrics.at("accuracy"), 1 - found.metrics.at("accuracy"), 1e-9);
}

TEST(LabelNames, ReachTheModelThatIsSaved) {
  Task task = toy::sentiment();
  Model model = named({"Praise", "BLAME"});
  match_labels(task, model, false, "toy");
  EXPECT_THAT(model.labels, ElementsAre("praise", "blame"));
  EXPECT_THAT(task.labels, ElementsAre("praise", "blame"));
}

TEST(LabelNames, AreWarnedOf_WhenTheyAreOthers) {
  Task task = toy::sentiment();
  for (const auto& names : {std::vector<std::string>{"NEGATIVE", "POSITIVE"}, {"praise", "other"}}) {
    Model model = named(names);
    EXPECT_THAT(logged([&] { match_labels(task, model, false, "toy"); }),
                AllOf(HasSubstr(names[1]), HasSubstr("id2label"), HasSubstr("toy")));
    EXPECT_THAT(model.labels, ElementsAre("blame", "praise"));
    EXPECT_THAT(logged([&] { match_labels(task, model, /*new_head=*/true, "toy"); }), IsEmpty());
  }
  for (const auto& names : {std::vector<std::string>{"LABEL_0", "LABEL_1"}, {"Blame", "praise"}, {}}) {
    Model model = named(names);
    EXPECT_THAT(logged([&] { match_labels(task, model, false, "toy"); }), IsEmpty());
  }
}

template <class Action>
std::string run_failure(Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::run) << error.what();
    return error.what();
  }
  return "no error";
}

TEST(NotANumber, EndsAnEvaluation_AndNamesTheTensor) {
  Model model = named({});
  model.weights.set("bert.encoder.layer.1.output.dense.bias", at::full({16}, std::nan("")));
  EXPECT_THAT(run_failure([&] { evaluated(toy::sentiment(), model); }), HasSubstr("'bert.encoder.layer.1.output.dense.bias'"));
}

TEST(NotANumber, NamesTheRow_WhereEveryWeightIsFinite) {
  Model model = named({});
  model.weights.set("classifier.weight", at::full({2, 16}, 3e38));
  EXPECT_THAT(run_failure([&] { evaluated(toy::sentiment(), model); }), AllOf(HasSubstr("row "), HasSubstr("not finite")));
}

TEST(NotANumber, EndsATraining_AndNamesTheTensor) {
  const toy::Scratch scratch;
  Model model = named({});
  model.weights.set("bert.pooler.dense.bias", at::full({16}, std::nan("")));
  const Task task = toy::sentiment();
  EXPECT_THAT(run_failure([&] {
                train(toy::job(model, task, {{"max_length", 24}}, scratch.path()));
              }),
              AllOf(HasSubstr("step 1"), HasSubstr("bert.pooler.dense.bias")));
}

TEST(NotANumber, EndsEveryKindOfTask) {
  const auto words = toy::tiny_bert().tokenizer;
  const nlohmann::json gpt2 = {
      {"model_type", "gpt2"}, {"vocab_size", words->vocabulary_size()}, {"n_embd", 16}, {"n_layer", 1}, {"n_head", 2}, {"n_positions", 32}};
  Task text = toy::sentiment();
  text.columns = {"text"};
  text.verbaliser = Verbaliser{"{text}", {"poor", "fine"}};
  text = as_text_to_text(text);
  Task stories = toy::sentiment();
  stories.kind = TaskKind::language_modelling;
  stories.metrics = {"perplexity"};
  Task tags = toy::sentiment();
  tags.kind = TaskKind::token_classification;
  tags.metrics = {"accuracy"};
  for (auto& [name, split] : tags.splits) {
    for (Example& example : split.examples) example.words = {"good", "film"}, example.tags = {1, 0};
  }
  for (const Task& task : {text, stories, tags}) {
    Model model = initialise_model(gpt2, head_for(task, ModelKind::causal), words, Key::root(3));
    model.weights.set("transformer.ln_f.bias", at::full({16}, std::nan("")));
    EXPECT_THAT(run_failure([&] { evaluated(task, model); }), HasSubstr("'transformer.ln_f.bias'")) << name_of(task.kind);
  }
}

TEST(WrittenAnswers, EndWhereTheFolderSays) {
  const auto words = toy::tiny_bert().tokenizer;
  const nlohmann::json gpt2 = {{"model_type", "gpt2"},
                               {"vocab_size", words->vocabulary_size()},
                               {"n_embd", 16},
                               {"n_layer", 1},
                               {"n_head", 2},
                               {"n_positions", 64},
                               {"initializer_range", 0.3}};
  Task task = toy::sentiment();
  task.columns = {"text"};
  task.verbaliser = Verbaliser{"{text}", {"poor", "fine"}};
  task = as_text_to_text(task);
  Model model = initialise_model(gpt2, head_for(task, ModelKind::causal), words, Key::root(3));
  Predictions free, cut;
  evaluated(task, model, &free);
  std::string first;  // a word that is written in the middle of a text
  for (const std::string& text : free.texts) {
    if (const auto blank = text.find(' '); first.empty() && blank != std::string::npos)
      first = text.substr(blank + 1, text.find(' ', blank + 1) - blank - 1);
  }
  ASSERT_FALSE(first.empty());
  model.generation.fields = {{"eos_token_id", {*words->id(first), *words->special_id(SpecialToken::separator)}}};
  evaluated(task, model, &cut);
  EXPECT_NE(free.texts, cut.texts);
  for (const std::string& text : cut.texts) {  // an end that is a word belongs to the text
    const auto place = std::min(text.size(), text.find(first));
    EXPECT_THAT(text.substr(place), AnyOf("", first));
  }
  model.generation.fields["do_sample"] = true;
  try {
    evaluated(task, model);
    ADD_FAILURE() << "sampled";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_THAT(error.what(), HasSubstr("do_sample"));
  }
}

}  // namespace
}  // namespace tsrun
