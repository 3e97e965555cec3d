// What the fields of a config.json are to each family: tests/goldens/config_fields.json has all that transformers writes.
#include "model/config_fields.h"
#include "model/families.h"
#include "model/rotary.h"
#include "support.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun::model {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::filesystem::path golden_file(const std::string& name) { return std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens" / name; }

/// A small model's config.json with every field that transformers writes for its family.
nlohmann::json full_config(const std::string& family) {
  nlohmann::json config = read_json(golden_file("config_fields.json")).at(family);
  const std::string tiny = family == "xlm-roberta" ? "roberta" : family;
  const nlohmann::json own = read_json(golden_file(tiny + "_tiny/config.json"));
  for (const auto& [name, value] : own.items()) {
    if (name != "model_type") config[name] = value;
  }
  return config;
}

std::string verdict(const nlohmann::json& config, const HeadSpec& head = {}) {
  try {
    make_family(config, head, "config.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    return error.what();
  }
  return "accepted";
}

struct OneField {
  std::string family, field;
  nlohmann::json value;
};

void PrintTo(const OneField& one, std::ostream* out) { *out << one.family << " " << one.field << " " << one.value; }

std::string name_of_field(const ::testing::TestParamInfo<OneField>& info) {
  std::string name = info.param.family + "_" + info.param.field + "_" + std::to_string(info.index);
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

class EveryConfig : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryConfig, LoadsEveryDefaultOfTransformersWithoutAWarning) {
  const nlohmann::json defaults = read_json(golden_file("config_fields.json")).at(GetParam());
  EXPECT_EQ(verdict(defaults), "accepted");
  EXPECT_EQ(verdict(full_config(GetParam())), "accepted");
  EXPECT_TRUE(idle_fields(defaults, entry_of(defaults, "").fields).empty());
  EXPECT_TRUE(idle_rotary_fields(defaults).empty());
}

/// A field that is known to nobody must not be taken for one that is.
TEST_P(EveryConfig, KnowsEveryFieldThatTransformersWrites) {
  const nlohmann::json defaults = read_json(golden_file("config_fields.json")).at(GetParam());
  for (const auto& [name, value] : defaults.items()) {
    nlohmann::json odd = full_config(GetParam());
    odd[name] = "odd";
    EXPECT_EQ(verdict(odd).find("unknown"), std::string::npos) << name;
  }
}

TEST_P(EveryConfig, RefusesAnUnknownFieldByName) {
  for (const nlohmann::json& value : {nlohmann::json(true), nlohmann::json(0), nlohmann::json("x"), nlohmann::json{{"a", 1}}}) {
    nlohmann::json config = full_config(GetParam());
    config["attn_logit_softcap"] = value;
    EXPECT_THAT(verdict(config), AllOf(HasSubstr("config.json"), HasSubstr("'attn_logit_softcap' is " + value.dump())));
  }
}

TEST_P(EveryConfig, TakesAnUnknownFieldThatSaysNothing) {
  for (const nlohmann::json& value : {nlohmann::json(), nlohmann::json(false)}) {
    nlohmann::json config = full_config(GetParam());
    config["attn_logit_softcap"] = value;
    EXPECT_EQ(verdict(config), "accepted");
    EXPECT_TRUE(idle_fields(config, entry_of(config, "").fields).empty());
  }
  nlohmann::json config = full_config(GetParam());
  config["cell"] = nlohmann::json::object();
  config["auto_map"] = {{"AutoModel", "own.py"}};
  EXPECT_EQ(verdict(config), "accepted");
  EXPECT_EQ(idle_fields(config, entry_of(config, "").fields).size(), 2U);
}

TEST_P(EveryConfig, RefusesQuantizedWeights) {
  nlohmann::json config = full_config(GetParam());
  config["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}};
  EXPECT_THAT(verdict(config), AllOf(HasSubstr("'quantization_config'"), HasSubstr("gptq"), HasSubstr("expected no such field")));
}

TEST_P(EveryConfig, RefusesSeveralLabelsARow) {
  if (std::string(GetParam()) == "t5") return;
  nlohmann::json config = full_config(GetParam());
  config["problem_type"] = "multi_label_classification";
  EXPECT_THAT(verdict(config, two_classes), HasSubstr("'problem_type'"));
  EXPECT_EQ(verdict(config), "accepted");
}

TEST_P(EveryConfig, ListsAllThatItRefuses) {
  nlohmann::json config = full_config(GetParam());
  config["logit_scale"] = 2.0;
  config["tie_encoder_decoder"] = true;
  EXPECT_THAT(verdict(config), AllOf(HasSubstr("'logit_scale' is 2.0"), HasSubstr("'tie_encoder_decoder' is true, expected false")));
}

INSTANTIATE_TEST_SUITE_P(Families, EveryConfig,
                         ::testing::Values("bert", "distilbert", "electra", "gpt2", "llama", "mistral", "qwen2", "roberta", "t5",
                                           "xlm-roberta"),
                         [](const auto& info) {
                           return std::string(info.param) == "xlm-roberta" ? "xlm_roberta" : std::string(info.param);
                         });

/// A value of a field that changes the computation and is not computed.
class RefusedField : public ::testing::TestWithParam<OneField> {};
TEST_P(RefusedField, IsNamedWithItsValue) {
  const auto& [family, field, value] = GetParam();
  nlohmann::json config = full_config(family);
  if (value.is_object() && field == "rope_parameters") config.erase("rope_scaling");
  config[field] = value;
  const std::string message = verdict(config);
  EXPECT_NE(message, "accepted");
  const bool nested = field == "rope_parameters" || field == "rope_scaling";  // their own fields are named
  EXPECT_THAT(message, HasSubstr(nested ? "config.json" : "'" + field + "'"));
}

std::vector<OneField> refused_fields() {
  std::vector<OneField> all;
  for (const char* encoder : {"bert", "roberta", "xlm-roberta", "electra", "distilbert"}) {
    all.push_back({encoder, "is_decoder", true});
    all.push_back({encoder, "position_embedding_type", "relative_key_query"});
    all.push_back({encoder, std::string(encoder) == "distilbert" ? "activation" : "hidden_act", "prelu"});
  }
  for (const char* family : {"bert", "roberta", "xlm-roberta", "electra", "distilbert", "gpt2", "llama", "mistral", "qwen2", "t5"}) {
    all.push_back({family, "add_cross_attention", true});
    all.push_back({family, "is_encoder_decoder", std::string(family) != "t5"});
    all.push_back({family, "pruned_heads", {{"0", {1}}}});
    all.push_back({family, "per_layer_config", {{"0", {{"hidden_act", "relu"}}}}});
    all.push_back({family, "tie_last_hidden_states", false});
    all.push_back({family, "final_logit_softcapping", 30.0});
  }
  for (const char* family : {"llama", "mistral", "qwen2"}) {
    all.push_back({family, "partial_rotary_factor", 0.5});
    all.push_back({family, "rope_parameters", {{"rope_type", "longrope"}, {"short_factor", {1, 1, 1}}, {"long_factor", {1, 1, 1}}}});
    all.push_back({family, "rope_parameters", {{"rope_type", "proportional"}, {"factor", 2.0}}});
    all.push_back({family, "rope_parameters", {{"rope_type", "default"}, {"partial_rotary_factor", 0.5}}});
    all.push_back({family, "rope_parameters", {{"rope_type", "default"}, {"mrope_section", {1, 1, 1}}}});
    all.push_back({family, "rope_parameters", {{"rope_type", "yarn"}, {"factor", 2.0}, {"attn_factor", 2.0}}});
    all.push_back({family, "rope_scaling", {{"type", "dynamik"}, {"factor", 2.0}}});
    all.push_back({family, "rope_scaling", {{"type", "linear"}}});
    all.push_back({family, "hidden_act", "xielu"});
    all.push_back({family, "rope_interleaved", true});
    all.push_back({family, "qk_norm", true});
  }
  all.push_back({"llama", "sliding_window", 16});
  all.push_back({"mistral", "attention_bias", true});
  all.push_back({"mistral", "mlp_bias", true});
  all.push_back({"mistral", "sliding_window", 0});
  all.push_back({"mistral", "layer_types", {"full_attention", "sliding_attention"}});
  all.push_back({"qwen2", "layer_types", {"sliding_attention", "full_attention"}});
  all.push_back({"qwen2", "layer_types", {"full_attention"}});
  all.push_back({"qwen2", "layer_types", {"full_attention", "linear_attention"}});
  all.push_back({"qwen2", "use_mrope", true});
  all.push_back({"t5", "is_decoder", true});
  all.push_back({"t5", "dense_act_fn", "prelu"});
  all.push_back({"t5", "feed_forward_proj", "gated-gelu-new"});
  all.push_back({"t5", "hidden_size", 24});
  all.push_back({"gpt2", "num_attention_heads", 4});
  all.push_back({"distilbert", "num_attention_heads", 4});
  all.push_back({"gpt2", "activation_function", "xielu"});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Fields, RefusedField, ::testing::ValuesIn(refused_fields()), name_of_field);

/// A value that computes the same as the default, or is computed.
class TakenField : public ::testing::TestWithParam<OneField> {};
TEST_P(TakenField, IsAccepted) {
  const auto& [family, field, value] = GetParam();
  nlohmann::json config = full_config(family);
  config[field] = value;
  EXPECT_EQ(verdict(config), "accepted");
}

std::vector<OneField> taken_fields() {
  std::vector<OneField> all = {{"bert", "tie_word_embeddings", false},
                               {"bert", "pooler_type", "first_token_transform"},
                               {"bert", "gradient_checkpointing", true},
                               {"bert", "chunk_size_feed_forward", 4},
                               {"distilbert", "sinusoidal_pos_embds", true},
                               {"distilbert", "tie_weights_", true},
                               {"distilbert", "num_attention_heads", 3},
                               {"electra", "summary_type", "last"},
                               {"gpt2", "n_ctx", 1024},
                               {"gpt2", "is_decoder", true},
                               {"gpt2", "reorder_and_upcast_attn", true},
                               {"gpt2", "num_hidden_layers", 2},
                               {"llama", "pretraining_tp", 4},
                               {"mistral", "layer_types", {"full_attention", "attention"}},
                               {"qwen2", "max_window_layers", 0},
                               {"t5", "n_positions", 512},
                               {"t5", "scale_decoder_outputs", false}};
  for (const char* family : {"bert", "gpt2", "llama", "t5"}) {
    all.push_back({family, "num_beams", 4});
    all.push_back({family, "architectures", {"Anything"}});
    all.push_back({family, "torch_dtype", "bfloat16"});
    all.push_back({family, "task_specific_params", {{"summarization", {{"num_beams", 4}}}}});
    all.push_back({family, "eos_token_id", {1, 2}});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Fields, TakenField, ::testing::ValuesIn(taken_fields()), name_of_field);

TEST(ConfigFields, TakesAFieldUnderTheNameThatEveryModelHas) {
  nlohmann::json config = full_config("gpt2");
  config["num_attention_heads"] = config["n_head"];
  config.erase("n_head");
  const auto family = make_family(config, {}, "config.json");
  EXPECT_EQ(family->config().at("n_head"), 3);
  EXPECT_FALSE(family->config().contains("num_attention_heads"));
}

TEST(ConfigFields, TakesTheDefaultsOfTransformers_FieldsThatAreAbsent) {
  nlohmann::json mistral = full_config("mistral");
  mistral.erase("num_key_value_heads");  // 8, which does not divide 4
  EXPECT_THAT(verdict(mistral), HasSubstr("num_key_value_heads is 8"));
  mistral["num_key_value_heads"] = nullptr;  // as heads
  EXPECT_EQ(verdict(mistral), "accepted");
}

TEST(Rotary, TakesRopeScaling_BothAreThere) {
  const nlohmann::json both = {{"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}},
                               {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 77.0}}},
                               {"rope_theta", 500.0}};
  const Rotary rotary = read_rotary(both, "config.json", 8, 64);
  EXPECT_EQ(rotary.scaling, Rotary::Scaling::linear);
  EXPECT_EQ(rotary.theta, 500);
  EXPECT_EQ(rotary.factor, 4);
}

TEST(Rotary, TakesTheOriginalPositionsBesideTheScaling) {
  nlohmann::json config = {{"rope_scaling", {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 16}}}};
  EXPECT_EQ(read_rotary(config, "config.json", 8, 64).original_positions, 16);
  config["original_max_position_embeddings"] = 32;
  EXPECT_EQ(read_rotary(config, "config.json", 8, 64).original_positions, 32);
  EXPECT_EQ(read_rotary(config, "config.json", 8, 64).reach(), 128);
}

TEST(Rotary, NamesFieldsOfAnotherScaling) {
  const nlohmann::json config = {{"rope_scaling", {{"type", "linear"}, {"factor", 4.0}, {"beta_fast", 16}}}};
  ASSERT_EQ(idle_rotary_fields(config).size(), 1U);
  EXPECT_THAT(idle_rotary_fields(config)[0], AllOf(HasSubstr("linear"), HasSubstr("beta_fast")));
}

}  // namespace
}  // namespace tsrun::model
