#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"

#include <gtest/gtest.h>

namespace tsrun::prefix {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("prefix", nlohmann::json::object()) &&
                   add_delta_case("prefix", {{"num_virtual_tokens", 4}, {"prefix_projection", true}, {"encoder_hidden_size", 8}}) &&
                   add_delta_case("prefix", {{"num_virtual_tokens", 5},
                                             {"prefix_projection", true},
                                             {"encoder_hidden_size", 8},
                                             {"projection_bias", false},
                                             {"layout", "release"},
                                             {"init_std", 0.02}});

int64_t prefix_numbers(const SmallModel& model, const nlohmann::json& options) {
  const Attached attached = attach(delta_method("prefix"), model, options);
  int64_t numbers = 0;
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(Prefix, CountsAsByHand) {
  const int64_t row = 2 * 2 * 24;  // layers, key and value, width
  EXPECT_EQ(prefix_numbers(small_bert(), {{"num_virtual_tokens", 5}}), 5 * row);
  EXPECT_EQ(prefix_numbers(small_t5(), {{"num_virtual_tokens", 5}}), 2 * 5 * row);
  EXPECT_EQ(prefix_numbers(small_t5(), {{"num_virtual_tokens", 5}, {"stacks", "decoder"}}), 5 * row);
  EXPECT_EQ(prefix_numbers(small_bert(), {{"num_virtual_tokens", 5}, {"prefix_projection", true}, {"encoder_hidden_size", 8}}),
            5 * 24 + (24 + 1) * 8 + (8 + 1) * row);
}

/// Number e of head h of token j's key or value (s) in layer l is number ((((l 2 + s) H + h) P + j) D + e) of the table's memory.
TEST(Prefix, ReadsTheMemoryOfTheReleasesTable) {
  const int64_t heads = 3, tokens = 5, size = 8;
  const Attached attached = attach(delta_method("prefix"), small_t5(), {{"num_virtual_tokens", tokens}, {"layout", "release"}});
  const at::Tensor flat = attached.random.at("decoder.prompt_embeddings").flatten();
  ForwardOptions forward;
  attached.delta->install(attached.random, forward);
  for (int64_t layer = 0; layer < 2; ++layer) {
    const auto pair = forward.attention_prefix.front()(static_cast<int>(layer) + 2);  // the decoder's layers count on from the encoder's
    ASSERT_TRUE(pair);
    for (int64_t which = 0; which < 2; ++which) {
      const at::Tensor& found = which == 0 ? pair->first : pair->second;
      ASSERT_EQ(found.sizes().vec(), (std::vector<int64_t>{tokens, heads * size}));
      for (int64_t i = 0; i < found.numel(); ++i) {
        const int64_t token = i / (heads * size), head = i / size % heads, e = i % size;
        const int64_t place = (((layer * 2 + which) * heads + head) * tokens + token) * size + e;
        EXPECT_EQ(found.flatten()[i].item<float>(), flat[place].item<float>());
      }
    }
  }
}

/// A T5 whose queries all point along the first coordinate of every head, and away from the prefix's keys: nobody looks at the prefix.
/// What is left must be the plain model, whose relative positions do not mind the places in front.
TEST(Prefix, LeavesThePlainModel_WhereNobodyLooksAtIt) {
  constexpr int64_t heads = 3, size = 8, width = heads * size;
  SmallModel model = small_t5();
  for (const std::string& name : model.weights.names()) {
    at::Tensor weight = model.weights.at(name).clone();
    if (name == "shared.weight") weight.select(1, 0).fill_(100);
    if (name.ends_with("SelfAttention.q.weight")) {
      weight.view({heads, size, width}).select(1, 0).zero_();
      weight.view({heads, size, width}).select(1, 0).select(1, 0).fill_(1);
    }
    model.weights.set(name, weight);
  }
  const Attached attached = attach(delta_method("prefix"), model, {{"num_virtual_tokens", 5}, {"layout", "release"}});
  const at::Tensor plain = logits_of(*model.family, model.weights, model.batch);
  EXPECT_GT((logits_of(*attached.family, attached.random, model.batch) - plain).abs().max().item<float>(), 1e-3);
  Weights unseen = attached.random;
  for (const char* stack : {"encoder.", "decoder."}) {
    at::Tensor table = unseen.at(std::string(stack) + "prompt_embeddings").clone();
    at::Tensor keys = table.flatten().view({2, 2, heads, 5, size}).select(1, 0);  // layers, key or value, heads, tokens
    keys.zero_();
    keys.select(-1, 0).fill_(-1e3);
    unseen.set(std::string(stack) + "prompt_embeddings", table);
  }
  EXPECT_LT((logits_of(*attached.family, unseen, model.batch) - plain).abs().max().item<float>(), 1e-4 * plain.abs().max().item<float>());
}

TEST(Prefix, HasNoBiasesWhenToldSo) {
  const nlohmann::json options = {
      {"num_virtual_tokens", 5}, {"prefix_projection", true}, {"encoder_hidden_size", 8}, {"projection_bias", false}};
  EXPECT_EQ(prefix_numbers(small_t5(), options), 2 * (5 * 24 + 24 * 8 + 8 * 2 * 2 * 24));
  const Attached attached = attach(delta_method("prefix"), small_t5(), options);
  EXPECT_EQ(attached.delta->tensors().size(), 6U);
}

TEST(Prefix, RefusesAStackThatTheModelLacks) { EXPECT_THROW(attach(delta_method("prefix"), small_bert(), {{"stacks", "decoder"}}), Error); }

TEST(Prefix, NamesTheNearestChoice) {
  try {
    attach(delta_method("prefix"), small_t5(), {{"stacks", "decodr"}});
    FAIL() << "an unknown choice was accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'decoder'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::prefix
