// What transformers answers where a folder or a text asks for more than the plain case (tests/goldens/make_answers.py), and what is
// refused.
#include "parity.h"
#include "tsrun/base/error.h"
#include "tsrun/model/finite.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ids = std::vector<int64_t>;

std::filesystem::path goldens() { return std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens"; }

const json& answers() {
  static const json all = read_json(goldens() / "answers.json");
  return all;
}

std::shared_ptr<const Tokenizer> few_words() { return make_wordpiece({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"}); }

GenerationConfig fields_only(json fields) {
  GenerationConfig config;
  config.fields = std::move(fields);
  config.where = "generation_config.json";
  return config;
}

GenerateOptions options_from(const json& fields, const json& given = json::object()) {
  return generate_options(fields_only(fields), *few_words(), given, 10);
}

std::string refusal_of_fields(const json& fields, const json& given = json::object()) {
  try {
    options_from(fields, given);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    return error.what();
  }
  return "accepted";
}

TEST(GenerationFields, WriteWhatTransformersWrites) {
  for (const json& golden : answers().at("written")) {
    const std::string name = golden.at("model");
    const auto family = make_family(read_json(goldens() / name / "config.json"),
                                    {name.starts_with("t5") ? HeadKind::seq2seq_lm : HeadKind::causal_lm, 0}, "config.json");
    const Weights weights = load_weights(goldens() / name / "model.safetensors", *family);
    json fields = golden.at("fields");
    if (!fields.contains("eos_token_id")) fields["eos_token_id"] = json::array();  // none, where the tokenizer's would be taken
    const GenerateOptions options = options_from(fields);
    const auto prompts = golden.at("prompts").get<std::vector<Ids>>(), outputs = golden.at("outputs").get<std::vector<Ids>>();
    const auto texts = generate(*family, weights, prompts, options, at::kCPU);
    for (size_t row = 0; row < prompts.size(); ++row)
      EXPECT_EQ(texts[row].ids, outputs[row]) << name << " " << golden.at("fields").dump() << " prompt " << row;
  }
}

TEST(GenerationFields, AreRefusedByName_WhereTheyWouldChangeTheText) {
  const json asking = {{"do_sample", true},
                       {"guidance_scale", 1.5},
                       {"encoder_repetition_penalty", 1.2},
                       {"encoder_no_repeat_ngram_size", 3},
                       {"num_beam_groups", 2},
                       {"penalty_alpha", 0.6},
                       {"num_return_sequences", 2},
                       {"exponential_decay_length_penalty", {5, 1.1}},
                       {"stop_strings", {"."}},
                       {"max_time", 1.5},
                       {"constraints", {1}},
                       {"force_words_ids", {{5}}},
                       {"dola_layers", "high"},
                       {"watermarking_config", {{"bias", 2.5}}},
                       {"token_healing", true},
                       {"cache_implementation", "quantized"},
                       {"frobnication", 3}};
  for (const auto& [name, value] : asking.items())
    EXPECT_THAT(refusal_of_fields({{name, value}}), AllOf(HasSubstr("generation_config.json"), HasSubstr("'" + name + "'")));
  EXPECT_THAT(refusal_of_fields({{"early_stopping", "never"}, {"num_beams", 2}}), HasSubstr("early_stopping"));
  EXPECT_THAT(refusal_of_fields({{"renormalize_logits", true}, {"num_beams", 2}}), HasSubstr("renormalize_logits"));
  EXPECT_THAT(refusal_of_fields({{"eos_token_id", "</s>"}}), HasSubstr("eos_token_id"));
  EXPECT_THAT(refusal_of_fields({{"bad_words_ids", {5}}}), HasSubstr("bad_words_ids"));
}

TEST(GenerationFields, ArePassedOver_WhereTheyCannotMatter) {
  EXPECT_EQ(refusal_of_fields({{"temperature", 0.6},
                               {"top_p", 0.9},
                               {"top_k", 20},
                               {"use_cache", true},
                               {"cache_implementation", "static"},
                               {"guidance_scale", 1.0},
                               {"num_return_sequences", 1},
                               {"renormalize_logits", true},
                               {"early_stopping", "never"},
                               {"stop_strings", nullptr},
                               {"frobnication", false},
                               {"transformers_version", "4.38.0"},
                               {"_from_model_config", true}}),
            "accepted");
  EXPECT_EQ(refusal_of_fields({{"do_sample", true}, {"temperature", 0.6}}, {{"do_sample", false}}), "accepted");
}

TEST(GenerationFields, GiveWayToWhatIsGiven) {
  const GenerateOptions options = options_from({{"num_beams", 4}, {"max_length", 50}, {"length_penalty", 2.0}}, {{"num_beams", 1}});
  EXPECT_EQ(options.num_beams, 1);
  EXPECT_EQ(options.max_length, 50);
  EXPECT_EQ(options.length_penalty, 2.0);
  EXPECT_EQ(options_from({{"max_length", 50}}, {{"max_new_tokens", 7}}).max_length, 0);
  EXPECT_EQ(options_from({{"max_new_tokens", 3}}).max_new_tokens, 3);
  EXPECT_EQ(options_from(json::object()).max_new_tokens, 10);
}

TEST(EndTokens, AreThoseOfGenerationConfig_ThenOfConfig_ThenOfTheTokenizer) {
  GenerationConfig config = fields_only({{"eos_token_id", {5, 6}}});
  config.config_end = 4;
  const auto ends = [&] { return generate_options(config, *few_words(), json::object(), 10).end_ids; };
  EXPECT_THAT(ends(), ElementsAre(5, 6));
  config.fields["eos_token_id"] = 7;
  EXPECT_THAT(ends(), ElementsAre(7));
  config.fields["eos_token_id"] = nullptr;
  EXPECT_THAT(ends(), ElementsAre(4));
  config.config_end = json::array({2, 4});
  EXPECT_THAT(ends(), ElementsAre(2, 4));
  config.config_end = nullptr;
  EXPECT_THAT(ends(), ElementsAre(3));  // [SEP]
}

TEST(EndTokens, OfAFolderWithoutGenerationConfig_AreThoseOfItsConfig) {
  const TestFolder folder;
  const json config = {{"eos_token_id", {1, 2}}, {"num_beams", 3}, {"hidden_size", 8}, {"use_cache", true}};
  const GenerationConfig read = read_generation_config(folder.path(), config);
  EXPECT_FALSE(read.own_file);
  EXPECT_EQ(read.fields, json({{"eos_token_id", {1, 2}}, {"num_beams", 3}}));
  write_durable(folder.path() / "generation_config.json", "{\"num_beams\": 2}");
  EXPECT_EQ(read_generation_config(folder.path(), config).fields, json({{"num_beams", 2}}));
  EXPECT_EQ(read_generation_config(folder.path(), config).config_end, json({1, 2}));
  write_durable(folder.path() / "generation_config.json", "[1]");
  EXPECT_THROW(read_generation_config(folder.path(), config), Error);
}

/// Rows without segments, one after the other.
PackedBatch batch_of_rows(const std::vector<Ids>& rows) {
  PackedRows packed;
  packed.offsets = {0};
  for (const Ids& row : rows) {
    packed.ids.insert(packed.ids.end(), row.begin(), row.end());
    for (size_t i = 0; i < row.size(); ++i) packed.positions.push_back(static_cast<int64_t>(i));
    packed.offsets.push_back(static_cast<int64_t>(packed.ids.size()));
  }
  packed.segments.assign(packed.ids.size(), 0);
  packed.targets.assign(rows.size(), 0);
  packed.row_numbers.assign(rows.size(), 0);
  return to_device(packed, {}, at::kCPU);
}

at::Tensor as_matrix(const json& rows) {
  std::vector<at::Tensor> tensors;
  for (const json& row : rows) tensors.push_back(at::tensor(row.get<std::vector<float>>()));
  return at::stack(tensors);
}

TEST(PaddingInATextStands, WhereTransformersPutsIt) {
  for (const json& golden : answers().at("padding")) {
    const std::string name = golden.at("model");
    const Parity parity(name.substr(0, name.size() - 5));
    const auto family = make_family(parity.config, {HeadKind::classification, 3}, "config.json");
    const Weights weights = parity.weights(*family, "classification");
    const PackedBatch batch = batch_of_rows(golden.at("rows").get<std::vector<Ids>>());
    EXPECT_LT(largest_difference(family->forward(weights, batch, {}).logits.detach(), as_matrix(golden.at("logits"))), 1e-4) << name;
  }
}

TEST(PaddingInATextStands, WhereItDid_InAModelOfFewerWords) {
  for (const std::string name : {"roberta", "gpt2", "llama"}) {
    const Parity parity(name);
    const auto family = make_family(parity.config, {HeadKind::classification, 3}, "config.json");
    const Weights weights = parity.weights(*family, "classification");
    const int64_t padding = parity.config.at("pad_token_id");
    const Ids kept = {padding, 7, 9, 20};
    const auto fewer = family->with_vocabulary(kept);
    ASSERT_TRUE(fewer);
    Weights reduced = weights;
    for (const ParameterInfo& info : fewer->parameters()) {
      const at::Tensor& whole = weights.at(info.name);
      if (whole.sizes().vec() != info.shape) reduced.set(info.name, whole.index_select(0, at::tensor(kept)));
    }
    const at::Tensor all = family->forward(weights, batch_of_rows({{7, padding, 9, padding}, {20, 9}}), {}).logits;
    EXPECT_LT(largest_difference(fewer->forward(reduced, batch_of_rows({{1, 0, 2, 0}, {3, 2}}), {}).logits, all), 1e-6) << name;
  }
}

TEST(PaddingInAText, MovesNoEmbeddingOfItsOwn) {
  const Parity parity("roberta");
  const auto family = make_family(parity.config, {HeadKind::classification, 3}, "config.json");
  const Weights weights = parity.weights(*family, "classification");
  family->forward(weights, batch_of_rows({{0, 9, 1, 12, 2}}), {}).logits.sum().backward();
  const at::Tensor words = weights.at("roberta.embeddings.word_embeddings.weight").grad();
  EXPECT_EQ(words[1].abs().max().item<double>(), 0);
  EXPECT_GT(words[12].abs().max().item<double>(), 0);
  EXPECT_EQ(weights.at("roberta.embeddings.position_embeddings.weight").grad()[1].abs().max().item<double>(), 0);
}

Model model_with(const std::string& name, double value) {
  Model model = initialise_model(small_config(), two_classes, nullptr, Key::root(4));
  const at::Tensor tensor = model.weights.at(name).clone();
  tensor.flatten()[0].fill_(value);
  model.weights.set(name, tensor);
  return model;
}

TEST(Finite, NamesTheFirstTensorThatIsNot) {
  const double bad[] = {std::nan(""), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const char* name : {"bert.embeddings.position_embeddings.weight", "bert.pooler.dense.bias", "classifier.weight"}) {
    for (const double value : bad) {
      const TestFolder folder;
      Model model = model_with(name, value);
      model.tokenizer = few_words();
      save_model(model, folder.path());
      try {
        require_finite(load_model(folder.path(), two_classes, Key::root(0)).weights, "here");
        ADD_FAILURE() << name << " was accepted";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::run);
        EXPECT_THAT(error.what(), AllOf(HasSubstr(name), HasSubstr("finite")));
      }
    }
  }
}

TEST(Generate, EndsTheRun_WhenScoresAreNotFinite) {
  const auto family = make_family(read_json(goldens() / "gpt2_tiny/config.json"), {HeadKind::causal_lm, 0}, "config.json");
  Weights weights = load_weights(goldens() / "gpt2_tiny/model.safetensors", *family);
  for (const int64_t beams : {1, 2}) {
    GenerateOptions options;
    options.num_beams = beams;
    weights.set("transformer.ln_f.weight", at::full({24}, std::nan("")));
    try {
      generate(*family, weights, {{5, 6}}, options, at::kCPU);
      ADD_FAILURE() << "a text was written";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::run);
      EXPECT_THAT(error.what(), HasSubstr("transformer.ln_f.weight"));
    }
  }
}

TEST(Load, NamesBothNumbersOfLabels_WhenTheyDiffer) {
  const TestFolder folder;
  save_model(initialise_model(small_config(), {HeadKind::classification, 3}, few_words(), Key::root(4)), folder.path());
  try {
    load_model(folder.path(), two_classes, Key::root(0));
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("3 labels"), HasSubstr("asks for 2")));
  }
}

TEST(Save, WritesTheTasksLabels_AndTheFoldersGenerationConfig) {
  const TestFolder folder;
  Model model = initialise_model(small_config(), two_classes, few_words(), Key::root(4));
  model.labels = {"yes", "no"};
  model.generation = fields_only({{"eos_token_id", {5, 6}}});
  model.generation.own_file = true;
  save_model(model, folder.path());
  const json config = read_json(folder.path() / "config.json");
  EXPECT_EQ(config.at("id2label"), json({{"0", "yes"}, {"1", "no"}}));
  EXPECT_EQ(config.at("label2id"), json({{"yes", 0}, {"no", 1}}));
  EXPECT_EQ(load_model(folder.path(), two_classes, Key::root(0)).generation.fields, model.generation.fields);
  EXPECT_THAT(label_names(json{{"id2label", {{"0", "a"}, {"2", "b"}}}}), IsEmpty());
}

}  // namespace
}  // namespace tsrun
