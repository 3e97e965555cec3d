// Names of one table: any that a checkpoint has gives the others, and different values are kept apart or refused, as in transformers.
#include "support.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Tensors = std::map<std::string, at::Tensor>;

/// A tiny model of the goldens, and where its word embeddings, their prefix and its word scores have their names.
struct TiedModel {
  std::string folder, prefix, words, scores;
  HeadKind head;
};
void PrintTo(const TiedModel& model, std::ostream* out) { *out << model.folder; }
const TiedModel tied_models[] = {
    {"gpt2", "transformer.", "transformer.wte.weight", "lm_head.weight", HeadKind::causal_lm},
    {"llama_biased", "model.", "model.embed_tokens.weight", "lm_head.weight", HeadKind::causal_lm},
    {"qwen2", "model.", "model.embed_tokens.weight", "lm_head.weight", HeadKind::causal_lm},
    {"bert", "bert.", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight", HeadKind::masked_lm},
    {"roberta", "roberta.", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight", HeadKind::masked_lm},
    {"electra", "electra.", "electra.embeddings.word_embeddings.weight", "generator_lm_head.weight", HeadKind::masked_lm},
    {"distilbert", "distilbert.", "distilbert.embeddings.word_embeddings.weight", "vocab_projector.weight", HeadKind::masked_lm},
    {"t5", "", "shared.weight", "lm_head.weight", HeadKind::seq2seq_lm},
    {"t5_gated", "", "shared.weight", "lm_head.weight", HeadKind::seq2seq_lm},
};

/// A copy of the model's folder with a tokenizer and other tensors.
class Ties : public ::testing::TestWithParam<TiedModel> {
 protected:
  static std::filesystem::path tiny() { return std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens" / (GetParam().folder + "_tiny"); }
  Ties() : config(read_json(tiny() / "config.json")) {
    for (const auto& [name, tensor] : map_tensors(tiny() / "model.safetensors")) tensors[name] = tensor.clone();
    tensors.erase(GetParam().scores);
    std::vector<std::string> words = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    for (int i = 5; i < 64; ++i) words.push_back("w" + std::to_string(i));
    make_wordpiece(words)->save(folder.path());
  }
  Model load() {
    write_durable(folder.path() / "config.json", config.dump());
    if (!sharded) {
      write_tensors(folder.path() / "model.safetensors", tensors);
    } else {
      write_shards();
    }
    return load_model(folder.path(), {GetParam().head, 0}, Key::root(0));
  }
  void write_shards() {
    Tensors parts[2];
    nlohmann::json index;
    for (const auto& [name, tensor] : tensors) {
      const int part = name == GetParam().scores;
      parts[part][name] = tensor;
      index["weight_map"][name] = "model-" + std::to_string(part) + ".safetensors";
    }
    for (int part = 0; part < 2; ++part) {
      if (!parts[part].empty()) write_tensors(folder.path() / ("model-" + std::to_string(part) + ".safetensors"), parts[part]);
    }
    write_durable(folder.path() / "model.safetensors.index.json", index.dump());
  }
  std::string refusal() {
    try {
      load();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      return error.what();
    }
    return "accepted";
  }
  void store_without_prefix() {
    Tensors bare;
    for (const auto& [name, tensor] : tensors)
      bare[name.starts_with(GetParam().prefix) ? name.substr(GetParam().prefix.size()) : name] = tensor;
    tensors = bare;
  }
  at::Tensor words() const { return tensors.at(GetParam().words).clone(); }
  void expect_words(const Model& model, const at::Tensor& expected) const {
    EXPECT_TRUE(at::equal(model.weights.at(GetParam().words), expected));
    EXPECT_EQ(model.weights.find(GetParam().scores), nullptr);
    EXPECT_TRUE(model.initialised.empty());
  }

  nlohmann::json config;
  Tensors tensors;
  TestFolder folder;
  bool sharded = false;
};

TEST_P(Ties, TakesTheEmbeddings_OnlyTheScoresAreStored) {
  const at::Tensor table = words();
  tensors.erase(GetParam().words);
  tensors[GetParam().scores] = table;
  expect_words(load(), table);
}

TEST_P(Ties, TakesTheEmbeddings_OnlyTheScoresAreStoredBesideBareNames) {
  const at::Tensor table = words();
  tensors.erase(GetParam().words);
  store_without_prefix();
  tensors[GetParam().scores] = table;
  expect_words(load(), table);
}

TEST_P(Ties, TiesEqualValues) {
  tensors[GetParam().scores] = words();
  expect_words(load(), words());
}

TEST_P(Ties, TiesEqualValues_InTwoShards) {
  sharded = true;
  tensors[GetParam().scores] = words();
  expect_words(load(), words());
}

TEST_P(Ties, KeepsDifferentValuesApart) {
  for (const bool shards : {true, false}) {
    sharded = shards;
    tensors[GetParam().scores] = words() + 1;
    const Model model = load();
    EXPECT_TRUE(at::equal(model.weights.at(GetParam().words), words()));
    EXPECT_TRUE(at::equal(model.weights.at(GetParam().scores), words() + 1));
    EXPECT_EQ(model.family->config().at("tie_word_embeddings"), false);
  }
}

TEST_P(Ties, GivesBackWhatWasKeptApart) {
  tensors[GetParam().scores] = words() + 1;
  const TestFolder other;
  save_model(load(), other.path());
  const Model again = load_model(other.path(), {GetParam().head, 0}, Key::root(0));
  EXPECT_TRUE(at::equal(again.weights.at(GetParam().scores), words() + 1));
}

TEST_P(Ties, NamesTheMissingScores_ConfigTiesNothing) {
  if (GetParam().folder.starts_with("t5")) return;  // transformers ties every T5
  config["tie_word_embeddings"] = false;
  EXPECT_THAT(load().initialised, ::testing::Contains(GetParam().scores));
  tensors[GetParam().scores] = words();  // equal, but nobody says that they stay so
  EXPECT_TRUE(load().weights.find(GetParam().scores));
  tensors.erase(GetParam().words);
  EXPECT_THAT(refusal(), HasSubstr("missing '" + GetParam().words + "'"));
}

TEST_P(Ties, RefusesACheckpointWithNeither) {
  tensors.erase(GetParam().words);
  EXPECT_THAT(refusal(), HasSubstr("missing '" + GetParam().words + "'"));
}

INSTANTIATE_TEST_SUITE_P(Families, Ties, ::testing::ValuesIn(tied_models), [](const auto& info) { return info.param.folder; });

/// The bias of a BERT's word scores has two names, and T5's table four.
class TwoBiases : public Ties {};
TEST_P(TwoBiases, TakeEachOthersPlace) {
  const bool bert = GetParam().folder == "bert";
  const std::string own = bert ? "cls.predictions.bias" : "lm_head.bias",
                    other = bert ? "cls.predictions.decoder.bias" : "lm_head.decoder.bias";
  const at::Tensor bias = tensors.at(own).clone();
  tensors[other] = bias;
  EXPECT_TRUE(at::equal(load().weights.at(own), bias));
  tensors.erase(own);
  EXPECT_TRUE(at::equal(load().weights.at(own), bias));
  tensors[own] = bias + 1;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("'" + other + "'"), HasSubstr("'" + own + "'"), HasSubstr("different values")));
  config["tie_word_embeddings"] = false;
  EXPECT_TRUE(at::equal(load().weights.at(other), bias));
}
INSTANTIATE_TEST_SUITE_P(Families, TwoBiases, ::testing::Values(tied_models[3], tied_models[4]),
                         [](const auto& info) { return info.param.folder; });

class T5Tables : public Ties {};
TEST_P(T5Tables, GiveEachOther_AnyOneIsStored) {
  const at::Tensor table = words();
  for (const char* name : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight", "shared.weight"}) {
    for (const char* one : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight", "shared.weight"})
      tensors.erase(one);
    tensors[name] = table;
    expect_words(load(), table);
  }
}
TEST_P(T5Tables, AreRefused_StacksReadDifferentOnes) {
  for (const char* name : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}) {
    tensors[name] = words() + 1;
    EXPECT_THAT(refusal(), AllOf(HasSubstr(name), HasSubstr("shared.weight"), HasSubstr("different values")));
    tensors.erase(name);
  }
}
TEST_P(T5Tables, KeepWhetherScoresAreScaled) {
  const bool scaled = GetParam().folder == "t5";
  EXPECT_EQ(load().family->config().at("scale_decoder_outputs"), scaled);
  tensors["lm_head.weight"] = words() + 1;
  EXPECT_EQ(load().family->config().at("scale_decoder_outputs"), scaled);
}
INSTANTIATE_TEST_SUITE_P(Shapes, T5Tables, ::testing::Values(tied_models[7], tied_models[8]),
                         [](const auto& info) { return info.param.folder; });

}  // namespace
}  // namespace tsrun
