#include "tsrun/model/architecture.h"

#include "tsrun/base/error.h"
#include "tsrun/model/model.h"

#include <gmock/gmock.h>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const TokenizerFacts kTokens = {50, {{"eos_token", 1}, {"pad_token", 2}}};

json config_of(const std::string& family, const json& given, const TokenizerFacts& tokens = kTokens) {
  OptionTable table = architecture_options();
  table.include(architecture_fields(family, given));
  return complete_config(architecture_config(family, table.resolve(given, "architecture")), tokens);
}

const json kSmall = {{"layers", 2}, {"hidden", 8}, {"heads", 2}};

json small(const json& more = json::object()) {
  json given = kSmall;
  given.update(more);
  return given;
}

std::string complaint_of(const std::string& family, const json& given, const TokenizerFacts& tokens = kTokens) {
  try {
    config_of(family, given, tokens);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user) << error.what();
    return error.what();
  }
  return "accepted";
}

/// A recurrent model has no heads.
json sizes_of(const std::string& family, const json& more = json::object()) {
  json given = small(more);
  if (family == "awd_lstm") given.erase("heads");
  return given;
}

class EveryArchitecture : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryArchitecture, IsAFamilyOfItsSizes) {
  const auto family = make_family(config_of(GetParam(), sizes_of(GetParam())), HeadSpec{}, "config");
  EXPECT_EQ(family->hidden_size(), 8);
  EXPECT_EQ(family->layers(), GetParam() == "t5" ? 4 : 2);
  EXPECT_EQ(family->config().at("vocab_size"), 50);
  EXPECT_EQ(family->config().at("eos_token_id"), 1);
  EXPECT_EQ(family->config().at("pad_token_id"), 2);
}

TEST_P(EveryArchitecture, HasOutputEmbeddingsOfItsOwn_WhereUntied) {
  const auto count = [&](bool tied) {
    const json config = config_of(GetParam(), sizes_of(GetParam(), {{"tied", tied}}));
    const ModelKind kind = make_family(config, HeadSpec{}, "config")->model_kind();
    const HeadKind head = kind == ModelKind::encoder  ? HeadKind::masked_lm
                          : kind == ModelKind::causal ? HeadKind::causal_lm
                                                      : HeadKind::seq2seq_lm;
    int64_t tables = 0;
    const auto family = make_family(config, {head, 0}, "config");
    for (const auto& parameter : family->parameters()) tables += parameter.shape.size() == 2 && parameter.shape[0] == 50;
    return tables;
  };
  EXPECT_EQ(count(false), count(true) + 1);
}

INSTANTIATE_TEST_SUITE_P(Families, EveryArchitecture, ::testing::ValuesIn(architecture_names()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Architecture, TakesFieldsOfTheConfigByTheirOwnNames) {
  const json config = config_of("gpt2", {{"n_layer", 1},
                                         {"hidden_size", 8},
                                         {"heads", 2},
                                         {"n_inner", 12},
                                         {"resid_pdrop", 0.3},
                                         {"dropout", 0},
                                         {"initializer_range", 0.5}});
  EXPECT_EQ(config.at("n_layer"), 1);
  EXPECT_EQ(config.at("n_embd"), 8);
  EXPECT_EQ(config.at("n_inner"), 12);
  EXPECT_EQ(config.at("resid_pdrop"), 0.3);
  EXPECT_EQ(config.at("attn_pdrop"), 0);
  EXPECT_EQ(config.at("initializer_range"), 0.5);
}

TEST(Architecture, CompletesWhatIsAbsent) {
  const json llama = config_of("llama", small({{"positions", 64}}));
  EXPECT_EQ(llama.at("intermediate_size"), 32);
  EXPECT_EQ(llama.at("num_key_value_heads"), 2);
  EXPECT_EQ(llama.at("max_position_embeddings"), 64);
  EXPECT_TRUE(llama.at("bos_token_id").is_null());
  const json t5 = config_of("t5", small({{"vocabulary", 64}}));
  EXPECT_EQ(t5.at("d_kv"), 4);
  EXPECT_EQ(t5.at("vocab_size"), 64);
  EXPECT_EQ(t5.at("decoder_start_token_id"), 2);
  EXPECT_EQ(t5.at("is_encoder_decoder"), true);
}

TEST(Architecture, RefusesSizesThatDoNotFit) {
  EXPECT_THAT(complaint_of("gpt2", small({{"heads", 3}})), HasSubstr("n_embd is 8 and n_head is 3"));
  EXPECT_THAT(complaint_of("t5", small({{"heads", 3}})), HasSubstr("'heads' is 3 and 'hidden' is 8"));
  EXPECT_THAT(complaint_of("gpt2", small({{"vocabulary", 49}})), HasSubstr("'vocabulary' is 49, expected at least 50"));
  EXPECT_THAT(complaint_of("gpt2", {{"layers", 2}, {"heads", 2}}), HasSubstr("gpt2 needs 'hidden' (field 'n_embd')"));
  EXPECT_THAT(complaint_of("gpt2", small({{"key_heads", 1}})), HasSubstr("gpt2 has no 'key_heads'; its sizes are layers, hidden"));
  EXPECT_THAT(complaint_of("gpt2", small({{"n_layer", 2}})), HasSubstr("option 'layers' is 2 and field 'n_layer' is 2"));
}

TEST(Architecture, NamesTheNearMissOfAField) {
  EXPECT_THAT(complaint_of("gpt2", small({{"n_iner", 16}})), HasSubstr("unknown option 'n_iner' (did you mean 'n_inner'?)"));
  EXPECT_THAT(complaint_of("llama", small({{"hiden", 16}})), HasSubstr("did you mean 'hidden'?"));
}

TEST(Architecture, NeedsAPaddingToken_ForFamiliesThatPad) {
  const TokenizerFacts bare = {50, {{"eos_token", 1}}};
  EXPECT_THAT(complaint_of("t5", kSmall, bare), HasSubstr("t5 needs a tokenizer with a padding token"));
  EXPECT_THAT(complaint_of("bert", kSmall, bare), HasSubstr("bert needs a tokenizer with a padding token"));
  EXPECT_EQ(complaint_of("gpt2", kSmall, bare), "accepted");
}

}  // namespace
}  // namespace tsrun
