// Values of transformers (tests/goldens/make_encoders.py, make_decoders.py, make_token_heads.py), reproduced.
#include "parity.h"

namespace tsrun {
namespace {

class EveryFamily : public ::testing::TestWithParam<const char*> {
 protected:
  static Parity tiny() { return Parity(GetParam()); }
};
const auto name_of_family = [](const auto& info) { return std::string(info.param); };

TEST_P(EveryFamily, GivesTheClassificationOfTransformers) { tiny().check_head("classification", {HeadKind::classification, 3}); }
TEST_P(EveryFamily, HasTheHiddenStatesOfTransformers) { tiny().check_hidden_states(); }
TEST_P(EveryFamily, GivesARowTheSameLogitsAloneAndAmongOthers) { tiny().check_batch_composition(); }
TEST_P(EveryFamily, GoesOnFromTheHiddenStatesOfALayer) { tiny().check_continuation(); }
TEST_P(EveryFamily, GivesTheSameGradientsWithGradientCheckpointing) {
  ForwardOptions options;
  options.gradient_checkpointing = true;
  tiny().check_head("classification", {HeadKind::classification, 3}, options);
}
TEST_P(EveryFamily, GivesTheSameLogitsOverTheWordsOfTheBatchAlone) { tiny().check_fewer_words(); }
INSTANTIATE_TEST_SUITE_P(Families, EveryFamily,
                         ::testing::Values("bert", "roberta", "electra", "distilbert", "gpt2", "llama", "llama_biased", "mistral", "qwen2"),
                         name_of_family);

class EveryEncoder : public EveryFamily {};
TEST_P(EveryEncoder, GivesTheRegressionOfTransformers) { tiny().check_head("regression", {HeadKind::regression, 1}); }
TEST_P(EveryEncoder, GivesTheMaskedWordsOfTransformers) { tiny().check_head("masked_lm", {HeadKind::masked_lm, 0}); }
INSTANTIATE_TEST_SUITE_P(Families, EveryEncoder, ::testing::Values("bert", "roberta", "electra", "distilbert"), name_of_family);

class EveryDecoder : public EveryFamily {};
TEST_P(EveryDecoder, GivesTheNextWordsOfTransformers) { tiny().check_head("causal_lm", {HeadKind::causal_lm, 0}); }
INSTANTIATE_TEST_SUITE_P(Families, EveryDecoder, ::testing::Values("gpt2", "llama", "llama_biased", "mistral", "qwen2"), name_of_family);

class TokenClassification : public ::testing::TestWithParam<const char*> {};
TEST_P(TokenClassification, GivesTheTagsOfTransformers) {
  Parity(GetParam(), {"token_classification.safetensors"}).check_head("token_classification", {HeadKind::token_classification, 5});
}
INSTANTIATE_TEST_SUITE_P(Families, TokenClassification, ::testing::Values("bert", "roberta", "electra", "distilbert", "gpt2", "llama"),
                         name_of_family);

TEST(Parity, GivesTheReplacedTokensOfElectra) { Parity("electra").check_head("replaced_token", {HeadKind::replaced_token, 1}); }

}  // namespace
}  // namespace tsrun
