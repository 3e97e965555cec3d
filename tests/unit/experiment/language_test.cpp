#include "experiment/stored.h"
#include "support/folder_test.h"
#include "tsrun/base/operators.h"
#include "tsrun/data/word_control.h"
#include "tsrun/experiment/lab.h"
#include "tsrun/experiment/model_source.h"
#include "tsrun/model/model.h"

#include <gmock/gmock.h>

#include <fstream>

/// Language models from nothing: tokenizers of a task's text, models with fresh weights, and their trainings.
namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class LanguageTest : public FolderTest {
 protected:
  LanguageTest() {
    std::filesystem::create_directories(folder_ / "task");
    std::ofstream(folder_ / "task/task.toml") << "name = \"tales\"\nkind = \"language_modelling\"\ndocuments = \"line\"\n"
                                                 "[splits]\ntrain = \"train.txt\"\ndev = \"dev.txt\"\ntest = \"dev.txt\"\n";
    std::ofstream train(folder_ / "task/train.txt"), dev(folder_ / "task/dev.txt");
    for (int line = 0; line < 24; ++line) train << "the cat sees the dog and the dog sees a cat " << line % 5 << " .\n";
    for (int line = 0; line < 4; ++line) dev << "the cat sees the dog and the dog sees a cat " << line << " .\n";
  }

  LabSettings settings(bool plan_only = false) {
    LabSettings settings;
    settings.store = folder_ / "store";
    settings.plan_only = plan_only;
    return settings;
  }
  json task(Lab& lab, json more = json::object()) {
    more["spec"] = (folder_ / "task").string();
    return lab.call("task", more);
  }
  json words(Lab& lab, json more = json::object()) {
    more.update({{"task", task(lab)}, {"kind", "words"}});
    return lab.call("tokenizer.train", more);
  }
  static json padded() { return {{"special_tokens", {{"pad_token", "<pad>"}}}}; }
  static json architecture(Lab& lab, const std::string& family, const json& tokenizer, const json& more = json::object()) {
    json options = {{"family", family}, {"tokenizer", tokenizer}, {"layers", 2}, {"hidden", 16}, {"heads", 2}, {"dropout", 0}};
    options.update(more);
    return lab.call("architecture", options);
  }
  static json trained(Lab& lab, const json& model, const json& task, int64_t steps = 40) {
    return lab.call("train", {{"model", model}, {"task", task}, {"max_steps", steps}, {"lr", 1e-2}, {"batch_size", 8}, {"max_length", 16}});
  }
  template <class Call>
  std::string refusal(Call&& call) {
    const Error error = error_of(call);
    EXPECT_EQ(error.kind(), ErrorKind::user) << error.what();
    return error.what();
  }
};

TEST_F(LanguageTest, MakesATokenizerWhoseSizeAPlanKnows) {
  Lab plan(settings(true)), lab(settings());
  const json planned = words(plan), made = words(lab);
  EXPECT_EQ(planned.at("vocabulary_size"), 14);
  EXPECT_EQ(planned.at("planned"), true);
  for (const char* field : {"key", "vocabulary_size", "special"}) EXPECT_EQ(made.at(field), planned.at(field)) << field;
  EXPECT_EQ(made.at("special"), (json{{"eos_token", 1}, {"unk_token", 0}}));
  const json bytes = {{"kind", "byte_bpe"}, {"vocabulary_size", 270}, {"task", task(plan)}};
  const json asked = plan.call("tokenizer.train", bytes), got = lab.call("tokenizer.train", bytes);
  EXPECT_EQ(asked.at("vocabulary_size"), 270);
  EXPECT_EQ(asked.at("special"), got.at("special"));
  EXPECT_EQ(asked.at("key"), got.at("key"));
  const auto folder = lab.store().get("tokenizer", got.at("key")).path;
  for (const char* file : {"tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"})
    EXPECT_TRUE(std::filesystem::exists(folder / file)) << file;
}

/// A guess among all 14 tokens has perplexity 14.
TEST_F(LanguageTest, TrainsCausalModelsFromNothing) {
  Lab lab(settings());
  const json tokenizer = words(lab);
  for (const char* family : {"gpt2", "llama"}) {
    const json model = architecture(lab, family, tokenizer);
    EXPECT_EQ(model.at("vocabulary_size"), 14);
    const json run = trained(lab, model, task(lab));
    EXPECT_LT(run.at("last").at("score"), 3) << family;
    const json test = lab.call("evaluate", {{"solution", run}, {"split", "test"}, {"max_length", 16}});
    EXPECT_EQ(test.at("last").at("metrics").at("perplexity"), run.at("last").at("metrics").at("perplexity"));
  }
}

TEST_F(LanguageTest, AnswersInWords_WithAT5FromNothing) {
  Lab lab(settings());
  const json questions = lab.call("task", {{"spec", "builtin:topic"}, {"as", "text_to_text"}});
  json options = padded();
  options.update({{"task", questions}, {"kind", "words"}, {"add_eos_token", true}, {"vocabulary_size", 300}});
  const json model = architecture(lab, "t5", lab.call("tokenizer.train", options));
  const json run = lab.call("train", {{"model", model}, {"task", questions}, {"max_steps", 3}, {"rows", 32}, {"answer", "choose"}});
  EXPECT_GE(run.at("last").at("score"), 0);
}

TEST_F(LanguageTest, GuessesWords_WithABertFromNothing) {
  Lab lab(settings());
  json special = {{"special_tokens", {{"pad_token", "[PAD]"}, {"cls_token", "[CLS]"}, {"sep_token", "[SEP]"}, {"mask_token", "[MASK]"}}}};
  const json run = trained(lab, architecture(lab, "bert", words(lab, special)), task(lab), 2);
  EXPECT_GT(run.at("last").at("metrics").at("perplexity"), 1);
}

TEST_F(LanguageTest, KeepsAModelAsAFolder_ThatLoadsWithTheSameWeights) {
  Lab lab(settings());
  const json tokenizer = words(lab);
  const json model = architecture(lab, "gpt2", tokenizer), other = architecture(lab, "gpt2", tokenizer, {{"seed", 2}});
  const HeadSpec head{HeadKind::causal_lm, 0};
  const Model loaded = load_model(model.at("path").get<std::string>(), head, Key::root(0));
  const Model drawn = initialise_model(loaded.family->config(), head, loaded.tokenizer, Key::root(1).split("architecture"));
  EXPECT_TRUE(loaded.initialised.empty());
  for (const std::string& name : drawn.weights.names()) EXPECT_TRUE(at::equal(loaded.weights.at(name), drawn.weights.at(name))) << name;
  EXPECT_NE(other.at("key"), model.at("key"));
  EXPECT_EQ(lab.call("model", {{"spec", model.at("path")}}).at("parameters"), model.at("parameters"));
}

/// A field of one's own and the shared name for it are one key; another tokenizer or seed is another.
TEST_F(LanguageTest, KeysAModelByConfigTokenizerAndSeed) {
  Lab plan(settings(true));
  const json tokenizer = words(plan), smaller = words(plan, {{"vocabulary_size", 9}});
  const auto key = [&](const json& words, const json& more) { return architecture(plan, "gpt2", words, more).at("key"); };
  EXPECT_EQ(key(tokenizer, json::object()), key(tokenizer, {{"n_inner", 64}}));
  EXPECT_NE(key(tokenizer, json::object()), key(tokenizer, {{"tied", false}}));
  EXPECT_NE(key(tokenizer, json::object()), key(smaller, json::object()));
}

TEST_F(LanguageTest, TakesTheTokenizerOfABuiltinModel) {
  Lab plan(settings(true));
  EXPECT_GT(architecture(plan, "gpt2", "builtin:gpt-mini").at("vocabulary_size"), 100);
}

TEST_F(LanguageTest, ScoresTheSameText_UnderControlsOfItsWords) {
  Lab lab(settings());
  const json tokenizer = words(lab), model = architecture(lab, "gpt2", tokenizer);
  const json shuffled = task(lab, {{"words", "shuffled"}, {"words_seed", 3}});
  EXPECT_NE(shuffled.at("key"), task(lab).at("key"));
  const double in_order = trained(lab, model, task(lab)).at("last").at("score"),
               out_of_order = trained(lab, model, shuffled).at("last").at("score");
  EXPECT_GT(out_of_order, 1.2 * in_order);
  EXPECT_THAT(refusal([&] {
                lab.call("task", {{"spec", "builtin:topic"}, {"words", "uniform"}});
              }),
              HasSubstr("task 'topic' is a classification"));
}

TEST_F(LanguageTest, WritesTextsUnderASeed_AndTellsHowDiverseTheyAre) {
  Lab lab(settings()), plan(settings(true));
  const json run = trained(lab, architecture(lab, "gpt2", words(lab)), task(lab));
  const auto written = [&](json more) {
    more.update({{"solution", run}, {"texts", 12}, {"max_new_tokens", 16}});
    if (!more.contains("prompt_words")) more["prompt_words"] = 1;
    return lab.call("generate", more);
  };
  const json fresh = written(json::object()), again = written({{"seed", 2}}), hot = written({{"temperature", 50}, {"min_new_tokens", 16}});
  EXPECT_NE(fresh.at("samples"), again.at("samples"));
  EXPECT_GT(hot.at("distinct_2"), fresh.at("distinct_2"));
  EXPECT_LE(hot.at("repetition"), fresh.at("repetition"));
  const json continued = written({{"prompt_words", 3}, {"top_k", 1}});
  EXPECT_THAT(continued.at("samples").at(0), ::testing::StartsWith("the dog and"));
  std::ifstream lines(lab.store().get("generation", continued.at("key")).path / "texts.jsonl");
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(json::parse(line).at("prompt"), "the cat sees");
  const json planned = plan.call("generate", {{"solution", run}, {"texts", 12}, {"max_new_tokens", 16}, {"prompt_words", 1}});
  EXPECT_EQ(planned.at("key"), fresh.at("key"));
}

TEST_F(LanguageTest, CountsTheUnknownToken_AsAWord_AndNotTheEnd) {
  Lab lab(settings());
  const json run = trained(lab, architecture(lab, "gpt2", words(lab, {{"vocabulary_size", 5}})), task(lab), 20);
  const json texts = lab.call("generate", {{"solution", run}, {"texts", 8}, {"max_new_tokens", 12}, {"prompt_words", 1}});
  const std::string samples = texts.at("samples").dump();
  EXPECT_THAT(samples, AllOf(HasSubstr("<unk>"), ::testing::Not(HasSubstr("<eos>"))));
  EXPECT_GT(texts.at("ended"), 0);
}

TEST_F(LanguageTest, RefusesToWrite_WithoutAWriter) {
  Lab lab(settings());
  const json model = architecture(lab, "gpt2", words(lab)), run = trained(lab, model, task(lab), 1);
  EXPECT_THAT(refusal([&] { lab.call("generate", {{"texts", 2}}); }), HasSubstr("found neither of 'solution' and 'model'"));
  EXPECT_THAT(refusal([&] { lab.call("generate", {{"solution", run}, {"num_beams", 2}}); }), HasSubstr("num_beams is 2"));
  EXPECT_THAT(refusal([&] { lab.call("generate", {{"solution", run}, {"do_sample", false}}); }), HasSubstr("are one text"));
  EXPECT_THAT(refusal([&] { lab.call("generate", {{"model", model}, {"prompt_words", 2}}); }), HasSubstr("expected a 'task'"));
  const json classes = lab.call("train", {{"model", architecture(lab, "gpt2", "builtin:gpt-mini")},
                                          {"task", lab.call("task", {{"spec", "builtin:topic"}})},
                                          {"max_steps", 1},
                                          {"rows", 8}});
  EXPECT_THAT(refusal([&] {
                lab.call("generate", {{"solution", classes}});
              }),
              HasSubstr("classification head, expected a causal language model"));
}

TEST_F(LanguageTest, RefusesWhatDoesNotFit) {
  Lab plan(settings(true));
  const json tokenizer = words(plan);
  EXPECT_THAT(refusal([&] { architecture(plan, "gpt3", tokenizer); }), AllOf(HasSubstr("'gpt3'"), HasSubstr("did you mean 'gpt2'?")));
  EXPECT_THAT(refusal([&] { architecture(plan, "gpt2", tokenizer, {{"layer", 3}}); }), HasSubstr("did you mean 'layers'?"));
  EXPECT_THAT(refusal([&] { architecture(plan, "gpt2", tokenizer, {{"heads", 3}}); }), HasSubstr("n_head is 3"));
  EXPECT_THAT(refusal([&] { architecture(plan, "gpt2", tokenizer, {{"vocabulary", 13}}); }), HasSubstr("expected at least 14"));
  EXPECT_THAT(refusal([&] { architecture(plan, "t5", tokenizer); }), HasSubstr("padding token"));
  EXPECT_THAT(refusal([&] { architecture(plan, "gpt2", task(plan)); }), HasSubstr("tokenizer"));
  EXPECT_THAT(refusal([&] { words(plan, {{"special_tokens", {{"eos_tokn", "</s>"}}}}); }), HasSubstr("did you mean 'eos_token'?"));
  EXPECT_THAT(refusal([&] { words(plan, {{"split", "trian"}}); }), HasSubstr("did you mean 'train'?"));
}

}  // namespace
}  // namespace tsrun
