// What the verbs answer, and when they give no answer.
#include "support/folder_test.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"
#include "unit/app/process.h"

#include <gmock/gmock.h>

#include <cmath>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::shared_ptr<const Tokenizer> twelve_words() {
  return make_wordpiece({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "the", "day", "and", "so"});
}

json small_bert() {
  return {{"model_type", "bert"},     {"vocab_size", 12},        {"hidden_size", 16},        {"num_hidden_layers", 1},
          {"num_attention_heads", 2}, {"intermediate_size", 32}, {"initializer_range", 0.3}, {"max_position_embeddings", 32}};
}

json small_llama() {
  return {{"model_type", "llama"},
          {"vocab_size", 12},
          {"hidden_size", 16},
          {"num_hidden_layers", 1},
          {"num_attention_heads", 2},
          {"intermediate_size", 32},
          {"max_position_embeddings", 64},
          {"tie_word_embeddings", false},
          {"initializer_range", 0.4}};
}

class AnswersTest : public FolderTest {
 protected:
  /// A saved model whose weights `change` has edited, without those named `missing`.
  template <class Change>
  void save(const json& config, const HeadSpec& head, const std::vector<std::string>& missing, Change change) {
    Model model = initialise_model(config, head, twelve_words(), Key::root(5));
    change(model.weights);
    save_model(model, folder_ / "model");
    Weights kept;
    for (const std::string& name : model.weights.names()) {
      if (std::find(missing.begin(), missing.end(), name) == missing.end()) kept.set(name, model.weights.at(name));
    }
    save_weights(kept, folder_ / "model/model.safetensors");
  }
  void save(const json& config, const HeadSpec& head, const std::vector<std::string>& missing = {}) {
    save(config, head, missing, [](Weights&) {});
  }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  void write_task() {
    write("task/task.toml",
          "name = \"t\"\nkind = \"classification\"\ntext = \"text\"\nlabel = \"label\"\nlabels = [\"no\", \"yes\"]\nmetrics = "
          "[\"accuracy\"]\n[splits]\ndev = \"dev.tsv\"\n");
    write("task/dev.tsv", "text\tlabel\ngood film\tyes\nbad day\tno\n");
  }
  Outcome predict() { return tsrun_program({"predict", "model", "task", "--store", "store"}, folder_); }
};

const HeadSpec kTwoClasses{HeadKind::classification, 2};

TEST_F(AnswersTest, RefusesToPredict_WithAHeadThatTheCheckpointLacks) {
  write_task();
  for (const std::vector<std::string>& missing :
       {std::vector<std::string>{"classifier.weight", "classifier.bias"}, {"classifier.bias"}, {"bert.pooler.dense.weight"}}) {
    save(small_bert(), kTwoClasses, missing);
    const Outcome outcome = predict();
    EXPECT_EQ(outcome.code, 3) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
    for (const std::string& name : missing) EXPECT_THAT(outcome.err, HasSubstr(name));
  }
}

TEST_F(AnswersTest, SaysThatAnswersAreChance_WhenTheDeltaIsOfAnEncoderWithoutHead) {
  write_task();
  save(small_bert(), kTwoClasses, {"classifier.weight", "classifier.bias"});
  write("delta/adapter_config.json", R"({"peft_type": "LORA", "task_type": "FEATURE_EXTRACTION", "r": 1, "target_modules": ["query"]})");
  Weights delta;
  const auto save_delta = [&](const std::string& stem) {
    delta.set(stem + "layer.0.attention.self.query.lora_A.weight", at::ones({1, 16}));
    delta.set(stem + "layer.0.attention.self.query.lora_B.weight", at::ones({16, 1}));
    save_weights(delta, folder_ / "delta/adapter_model.safetensors");
    return tsrun_program({"predict", "model", "task", "--store", "store", "--delta", "delta"}, folder_);
  };
  const Outcome bare = save_delta("base_model.model.encoder.");
  EXPECT_EQ(bare.code, 0) << bare.err;
  EXPECT_THAT(bare.out, HasSubstr("logits"));
  EXPECT_THAT(bare.err, AllOf(HasSubstr("classifier.weight"), HasSubstr("chance")));
  delta = {};
  EXPECT_EQ(save_delta("base_model.model.bert.encoder.").code, 3);
}

TEST_F(AnswersTest, RefusesToScoreAndToWrite_WithoutWordScores) {
  save(small_llama(), {HeadKind::causal_lm, 0}, {"lm_head.weight"});
  write("text.txt", "the good film");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"score", "model", "text.txt"}, {"generate", "model", "the good"}}) {
    const Outcome outcome = tsrun_program(words, folder_);
    EXPECT_EQ(outcome.code, 3) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, HasSubstr("lm_head.weight"));
  }
}

TEST_F(AnswersTest, PrintsNothing_WhenAWeightIsNotANumber) {
  write_task();
  save(small_bert(), kTwoClasses, {}, [](Weights& weights) {
    weights.set("bert.embeddings.word_embeddings.weight",
                weights.at("bert.embeddings.word_embeddings.weight")
                    .clone()
                    .index_fill_(0, at::tensor({int64_t{4}}), std::nan("")));  // a word that no text uses
  });
  const Outcome outcome = predict();
  EXPECT_EQ(outcome.code, 4) << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, HasSubstr("bert.embeddings.word_embeddings.weight"));
}

TEST_F(AnswersTest, PrintsNothing_WhenProductsOverflow) {
  write_task();
  save(small_bert(), kTwoClasses, {}, [](Weights& weights) { weights.set("classifier.weight", at::full({2, 16}, 3e38)); });
  const Outcome outcome = predict();
  EXPECT_EQ(outcome.code, 4) << outcome.err;
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, HasSubstr("row "));
}

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
  return lines;
}

TEST_F(AnswersTest, PrintsLabelsByTheirNames_InTheCheckpointsOrder) {
  write_task();
  save(small_bert(), kTwoClasses);
  const auto plain = lines_of(predict().out);
  json config = small_bert();
  config["id2label"] = {{"0", "YES"}, {"1", "no"}};
  save(config, kTwoClasses);
  const auto named = lines_of(predict().out);
  ASSERT_EQ(named.size(), 2U);
  for (size_t row = 0; row < 2; ++row) {
    EXPECT_EQ(named[row]["logits"], plain[row]["logits"]);
    EXPECT_NE(named[row]["label"], plain[row]["label"]);
  }
  config["id2label"] = {{"0", "negative"}, {"1", "positive"}};
  save(config, kTwoClasses);
  const Outcome other = predict();
  EXPECT_EQ(lines_of(other.out), plain);
  EXPECT_THAT(other.err, AllOf(HasSubstr("negative"), HasSubstr("id2label")));
}

TEST_F(AnswersTest, NamesBothNumbersOfLabels) {
  write_task();
  save(small_bert(), {HeadKind::classification, 3});
  const Outcome outcome = predict();
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("3"), HasSubstr("2"), HasSubstr("labels")));
}

TEST_F(AnswersTest, WritesToTheEndTokensOfTheFolder) {
  save(small_llama(), {HeadKind::causal_lm, 0});
  const auto text = [&] { return tsrun_program({"generate", "model", "the good", "--set", "max_new_tokens=12"}, folder_); };
  write("model/generation_config.json", "{\"eos_token_id\": []}");
  const Outcome whole = text();
  ASSERT_EQ(whole.code, 0) << whole.err;
  std::istringstream words(whole.out);
  const std::vector<std::string> said{std::istream_iterator<std::string>(words), {}};
  ASSERT_GT(said.size(), 3U);
  const auto id = *twelve_words()->id(said[2]);
  write("model/generation_config.json", fmt::format("{{\"eos_token_id\": [4, {}]}}", id));
  const Outcome cut = text();
  EXPECT_EQ(cut.code, 0) << cut.err;
  EXPECT_LT(cut.out.size(), whole.out.size());
  write("model/generation_config.json", "{\"eos_token_id\": [], \"do_sample\": true}");
  EXPECT_EQ(text().code, 3);
  EXPECT_THAT(text().err, AllOf(HasSubstr("do_sample"), HasSubstr("generation_config.json")));
  EXPECT_EQ(tsrun_program({"generate", "model", "the good", "--set", "max_new_tokens=12", "--set", "do_sample=false"}, folder_).out,
            whole.out);
}

TEST_F(AnswersTest, ReadsATokenizerLongerThanTheVocabulary_UntilATextUsesTheRest) {
  json config = small_llama();
  config["vocab_size"] = 11;
  save(config, {HeadKind::causal_lm, 0});
  write("text.txt", "the good film");
  EXPECT_EQ(tsrun_program({"score", "model", "text.txt"}, folder_).code, 0);
  write("text.txt", "the good film so bad");
  for (const std::vector<std::string>& words : {std::vector<std::string>{"score", "model", "text.txt"}, {"generate", "model", "so good"}}) {
    const Outcome outcome = tsrun_program(words, folder_);
    EXPECT_EQ(outcome.code, 3) << outcome.err;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("'so'"), HasSubstr("id 11"), HasSubstr("vocab_size is 11")));
  }
}

/// A task with training rows, whose words tell frequencies.
class GeometryVerb : public AnswersTest {
 protected:
  GeometryVerb() {
    write_task();
    write("task/train.tsv", "text\tlabel\ngood film\tyes\nbad film\tno\nthe film\tno\n");
    write("task/task.toml",
          "name = \"t\"\nkind = \"classification\"\ntext = \"text\"\nlabel = \"label\"\nlabels = [\"no\", \"yes\"]\nmetrics = "
          "[\"accuracy\"]\n[splits]\ntrain = \"train.tsv\"\ndev = \"dev.tsv\"\n");
  }
  Outcome geometry(std::vector<std::string> words) {
    words.insert(words.begin(), "geometry");
    return tsrun_program(words, folder_);
  }
  void expect_refusal(const std::vector<std::string>& words, int code, const std::string& message) {
    const Outcome outcome = geometry(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
};

TEST_F(GeometryVerb, PrintsTheMetricsOfAnyFolder) {
  save(small_bert(), {}, {}, [](Weights& weights) {
    const std::string words = "bert.embeddings.word_embeddings.weight";
    weights.set(words, weights.at(words).narrow(1, 0, 8).repeat({1, 2}));  // rank 8 of 12
  });
  const Outcome outcome = geometry({"model"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("model: input embeddings, 12 vectors of width 16"), HasSubstr("tied"), HasSubstr("mean cosine"),
                                 HasSubstr("condition number                       inf           inf"), HasSubstr("intrinsic dimension")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / ".tsrun"));
}

TEST_F(GeometryVerb, TellsBucketsOfATasksWords_AndDrawsThem) {
  save(small_bert(), {});
  const Outcome outcome = geometry({"model", "task", "--set", "ranks=[2, 3]", "--figures", "figures"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("ranks 1 to 2"), HasSubstr("rank 3"), HasSubstr("ranks 4 to 6"), HasSubstr("never seen")));
  for (const char* name : {"spectrum", "cosines", "cosines_centred", "projection"})
    EXPECT_TRUE(std::filesystem::exists(folder_ / "figures" / (std::string(name) + ".dat"))) << name;
}

TEST_F(GeometryVerb, MeasuresHiddenStates_WithoutATrainedHead) {
  save(small_bert(), kTwoClasses, {"classifier.weight", "classifier.bias", "bert.pooler.dense.weight"});
  const Outcome outcome = geometry({"model", "task", "--set", "of=hidden", "--set", "layer=1", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json found = json::parse(outcome.out);
  EXPECT_EQ(found.at("rows"), 8);  // two rows of [CLS], two words and [SEP]
  EXPECT_EQ(found.at("layer"), 1);
  EXPECT_EQ(found.at("of"), "hidden states of layer 1");
}

TEST_F(GeometryVerb, RefusesWhatItCannotMeasure) {
  save(small_bert(), {});
  expect_refusal({"modle"}, 3, "modle");
  expect_refusal({"model", "--set", "off=hidden"}, 2, "unknown option 'off' (did you mean 'of'?)");
  expect_refusal({"model", "--set", "of=hidden"}, 2, "there is no task");
  expect_refusal({"model", "task", "--set", "of=hidden", "--set", "layer=2"}, 2, "expected 0 (the embeddings) to 1");
  expect_refusal({"model", "task", "--set", "of=hidden", "--set", "split=dve"}, 2, "dev");
  expect_refusal({"model", "missing"}, 3, "missing");
  expect_refusal({"model", "builtin:sentimant"}, 2, "did you mean 'sentiment'?");
  save(small_bert(), {}, {}, [](Weights& weights) { weights.set("bert.embeddings.word_embeddings.weight", at::full({12, 16}, NAN)); });
  expect_refusal({"model"}, 4, "bert.embeddings.word_embeddings.weight");
}

}  // namespace
}  // namespace tsrun
