// T5 against values of transformers (tests/goldens/make_encoder_decoders.py).
#include "model/relative_places.h"
#include "parity.h"
#include "tsrun/base/error.h"

namespace tsrun::model {
namespace {

const HeadSpec seq2seq{HeadKind::seq2seq_lm, 0};

class EveryT5 : public ::testing::TestWithParam<const char*> {
 protected:
  EveryT5() : family(make_family(parity.config, seq2seq, "config.json")), weights(parity.weights(*family, "seq2seq_lm")) {}
  PackedBatch batch() const { return parity.batch("seq2seq_lm"); }
  /// Scores of every token that the decoder reads.
  at::Tensor all_logits(const ForwardOptions& options) const {
    const c10::NoGradGuard guard;
    PackedBatch data = batch();
    data.targets = at::Tensor();
    return family->forward(weights, data, options).logits;
  }

  Parity parity{GetParam()};
  std::unique_ptr<Family> family;
  Weights weights;
};

TEST_P(EveryT5, GivesTheNextWordsOfTransformers) { parity.check_head("seq2seq_lm", seq2seq); }

TEST_P(EveryT5, GivesTheSameGradientsWithGradientCheckpointing) {
  ForwardOptions options;
  options.gradient_checkpointing = true;
  parity.check_head("seq2seq_lm", seq2seq, options);
}

TEST_P(EveryT5, HasTheHiddenStatesOfTransformersInBothStacks) {
  std::vector<at::Tensor> states;
  ForwardOptions options;
  options.hidden_states = &states;
  all_logits(options);
  ASSERT_EQ(states.size(), 7U);
  double worst = 0;
  for (size_t i = 0; i < states.size(); ++i) {
    const std::string name = i < 3 ? "hidden.encoder." + std::to_string(i) : "hidden.decoder." + std::to_string(i - 3);
    worst = std::max(worst, largest_difference(states[i], parity.golden(name)));
  }
  EXPECT_LT(worst, 1e-4);
  std::printf("largest difference of hidden states %.2e\n", worst);
}

TEST_P(EveryT5, GoesOnFromTheHiddenStatesOfALayer) {
  std::vector<at::Tensor> states;
  ForwardOptions watched;
  watched.hidden_states = &states;
  const at::Tensor whole = all_logits(watched);
  for (int layer = 0; layer <= family->layers(); ++layer) {
    ForwardOptions rest;
    rest.from_layer = layer;
    rest.from_hidden = states[static_cast<size_t>(layer <= 2 ? layer : layer + 1)];
    if (layer > 2) rest.encoded = states[2];
    EXPECT_LT(largest_difference(all_logits(rest), whole), 1e-6) << "from layer " << layer;
    if (layer > 2) continue;
    ForwardOptions beginning;
    beginning.to_layer = layer;
    EXPECT_TRUE(at::equal(family->forward(weights, batch(), beginning).hidden, states[static_cast<size_t>(layer)])) << "to layer " << layer;
  }
}

TEST_P(EveryT5, RefusesToStartInTheDecoderWithoutTheEncodersOutput) {
  ForwardOptions rest;
  rest.from_layer = 3;
  rest.from_hidden = parity.golden("hidden.decoder.1");
  EXPECT_THROW(all_logits(rest), Error);
}

TEST_P(EveryT5, CallsEverySiteOnceInItsOrderAndWidth) {
  std::vector<const Site*> met;
  ForwardOptions options;
  options.at_site.push_back([&](const Site& site, const at::Tensor& x) {
    EXPECT_EQ(x.size(1), site.width) << site.module;
    met.push_back(&site);
    return x;
  });
  all_logits(options);
  ASSERT_EQ(met.size(), family->sites().size());
  for (size_t i = 0; i < met.size(); ++i) EXPECT_EQ(met[i], &family->sites()[i]) << i;
}

TEST_P(EveryT5, RefusesAClassificationHeadAndSaysWhatToDo) {
  try {
    make_family(parity.config, {HeadKind::classification, 2}, "config.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("text_to_text"), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, EveryT5, ::testing::Values("t5", "t5_gated"), [](const auto& info) { return std::string(info.param); });

TEST(T5, CountsAPrefixAsTokensInFrontOfTheRow) {
  const Parity parity("t5");
  const auto family = make_family(parity.config, seq2seq, "config.json");
  PackedBatch data = parity.batch("seq2seq_lm");
  data.targets = at::Tensor();
  for (const bool checkpointing : {false, true}) {
    ForwardOptions options;
    options.gradient_checkpointing = checkpointing;
    options.attention_prefix.push_back([&](int layer) {
      const std::string name = layer < 2 ? "prefix.encoder." + std::to_string(layer) : "prefix.decoder." + std::to_string(layer - 2);
      return KeyValuePrefix({parity.golden(name + ".key"), parity.golden(name + ".value")});
    });
    const at::Tensor logits = family->forward(parity.weights(*family, "seq2seq_lm"), data, options).logits;
    EXPECT_LT(largest_difference(logits.detach(), parity.golden("prefix.logits")), 1e-4);
  }
}

TEST(T5, TiesItsScores_UnlessConfigSaysOtherwise) {
  nlohmann::json config = Parity("t5_gated").config;
  const auto has_own_scores = [](const nlohmann::json& json) {
    return make_family(json, seq2seq, "config.json")->parameters().back().name == "lm_head.weight";
  };
  EXPECT_TRUE(has_own_scores(config));
  config.erase("scale_decoder_outputs");  // transformers 4
  EXPECT_TRUE(has_own_scores(config));
  config["scale_decoder_outputs"] = false;  // saved again by transformers 5: what is stored decides
  config["tie_word_embeddings"] = true;
  EXPECT_FALSE(has_own_scores(config));
}

TEST(T5, RefusesAnUnknownFeedForwardBlock) {
  nlohmann::json config = Parity("t5").config;
  config["feed_forward_proj"] = "gated-swoosh";
  EXPECT_THROW(make_family(config, seq2seq, "config.json"), Error);
}

TEST(RelativePlaces, FallIntoTheBucketsOfTransformers) {
  const RelativePlaces both{32, 128, true}, back{32, 128, false};
  EXPECT_EQ(both.bucket(0), 0);
  EXPECT_EQ(both.bucket(-7), 7);
  EXPECT_EQ(both.bucket(7), 23);
  EXPECT_EQ(both.bucket(-8), 8);
  EXPECT_EQ(both.bucket(-16), 10);  // 8 + ⌊log(16/8) / log(128/8) * 8⌋
  EXPECT_EQ(both.bucket(-1000), 15);
  EXPECT_EQ(both.bucket(1000), 31);
  EXPECT_EQ(back.bucket(5), 0);
  EXPECT_EQ(back.bucket(-15), 15);
  EXPECT_EQ(back.bucket(-16), 16);
  EXPECT_EQ(back.bucket(-1000), 31);
}

}  // namespace
}  // namespace tsrun::model
