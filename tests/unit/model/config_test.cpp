#include "support.h"
#include "tsrun/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const nlohmann::json& config, const HeadSpec& head = {}) {
  try {
    make_family(config, head, "config.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
  return "accepted";
}

nlohmann::json changed(const std::string& field, const nlohmann::json& value) {
  nlohmann::json config = small_config();
  config[field] = value;
  return config;
}

TEST(Config, NamesTheMissingField) {
  nlohmann::json config = small_config();
  config.erase("hidden_size");
  config["hiden_size"] = 24;
  EXPECT_THAT(refusal(config), AllOf(HasSubstr("'hidden_size' is missing"), HasSubstr("did you mean 'hiden_size'")));
}

TEST(Config, NamesTheIllTypedField) {
  EXPECT_THAT(refusal(changed("hidden_size", "24")), HasSubstr("'hidden_size' is \"24\", expected an integer"));
  EXPECT_THAT(refusal(changed("hidden_act", 3)), HasSubstr("'hidden_act' is 3, expected a string"));
  EXPECT_THAT(refusal(changed("num_hidden_layers", 1.5)), HasSubstr("'num_hidden_layers' is 1.5, expected an integer"));
}

TEST(Config, NamesTheRange) {
  EXPECT_THAT(refusal(changed("num_hidden_layers", 0)), HasSubstr("is 0, expected an integer from 1"));
  EXPECT_THAT(refusal(changed("vocab_size", -5)), HasSubstr("'vocab_size' is -5"));
  EXPECT_THAT(refusal(changed("vocab_size", 1e30)), HasSubstr("'vocab_size' is 1e+30"));
  EXPECT_THAT(refusal(changed("hidden_dropout_prob", 1.0)), HasSubstr("'hidden_dropout_prob' is 1.0"));
}

TEST(Config, RefusesHeadsThatDoNotDivideTheWidth) {
  EXPECT_THAT(refusal(changed("num_attention_heads", 5)), AllOf(HasSubstr("hidden_size is 24"), HasSubstr("num_attention_heads is 5")));
}

TEST(Config, SuggestsTheModelType) {
  EXPECT_THAT(refusal(changed("model_type", "bret")), AllOf(HasSubstr("'bret'"), HasSubstr("did you mean 'bert'")));
  EXPECT_THAT(refusal(changed("model_type", "bloom")), HasSubstr("expected awd_lstm, bert, distilbert"));
  EXPECT_THAT(refusal(nlohmann::json::array()), HasSubstr("expected a JSON object"));
}

TEST(Config, RefusesVariantsThatItDoesNotCompute) {
  EXPECT_THAT(refusal(changed("position_embedding_type", "relative_key")), HasSubstr("relative_key"));
  EXPECT_THAT(refusal(changed("is_decoder", true)), HasSubstr("is_decoder"));
  EXPECT_THAT(refusal(changed("hidden_act", "gelu_ne")), HasSubstr("did you mean 'gelu_new'"));
}

TEST(Config, AcceptsNullAsAbsent) { EXPECT_EQ(refusal(changed("classifier_dropout", nullptr)), "accepted"); }

TEST(Parameters, StandInModuleOrder) {
  const auto family = make_family(small_config(), {HeadKind::classification, 2}, "config.json");
  std::vector<std::string> names;
  for (const ParameterInfo& parameter : family->parameters()) names.push_back(parameter.name);
  ASSERT_EQ(names.size(), 5u + 2 * 16 + 4);
  EXPECT_EQ(names[0], "bert.embeddings.word_embeddings.weight");
  EXPECT_EQ(names[5], "bert.encoder.layer.0.attention.self.query.weight");
  EXPECT_EQ(names[6], "bert.encoder.layer.0.attention.self.query.bias");
  EXPECT_EQ(names[13], "bert.encoder.layer.0.attention.output.LayerNorm.weight");
  EXPECT_EQ(names[20], "bert.encoder.layer.0.output.LayerNorm.bias");
  EXPECT_EQ(names[21], "bert.encoder.layer.1.attention.self.query.weight");
  EXPECT_EQ(names.back(), "classifier.bias");
  EXPECT_EQ(family->parameters()[13].module, "attention.output.LayerNorm");
  EXPECT_EQ(family->parameters()[13].kind, ParameterKind::norm_weight);
  EXPECT_EQ(family->parameters()[21].layer, 1);
  EXPECT_EQ(family->parameters().back().part, Part::head);
}

TEST(Sites, NameTheModulesThatMakeThem) {
  const auto family = make_family(small_config(), {HeadKind::classification, 2}, "config.json");
  ASSERT_EQ(family->sites().size(), 1u + 2 * 8);
  for (const Site& site : family->sites()) {
    const bool found = std::any_of(family->parameters().begin(), family->parameters().end(),
                                   [&](const ParameterInfo& parameter) { return parameter.name == site.module + ".weight"; });
    EXPECT_TRUE(found) << site.module;
  }
}

}  // namespace
}  // namespace tsrun
