#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

#include <algorithm>

namespace tsrun::adapter {
namespace {

using namespace plugin_testing;

const bool cases =
    add_delta_case("adapter", nlohmann::json::object()) && add_delta_case("adapter", {{"style", "pfeiffer"}, {"activation", "gelu"}}) &&
    add_delta_case("adapter", {{"style", "parallel"}, {"scale", 4}, {"activation", "tanh"}}) &&
    add_delta_case("adapter", {{"bottleneck", 6}, {"activation", "silu"}, {"biases", false}, {"init", "normal"}, {"init_std", 0.1}});

int64_t adapter_numbers(const Delta& delta) {
  int64_t numbers = 0;
  for (const DeltaMatch& match : delta.matches()) numbers += match.numbers;
  return numbers;
}

TEST(Adapter, CountsAsByHand) {
  const int64_t one = 2 * 16 * 24 + 16 + 24;
  EXPECT_EQ(adapter_numbers(*attach(delta_method("adapter"), small_bert()).delta), 2 * 2 * one);
  EXPECT_EQ(adapter_numbers(*attach(delta_method("adapter"), small_t5()).delta), (2 * 2 + 2 * 3) * one);
  EXPECT_EQ(adapter_numbers(*attach(delta_method("adapter"), small_t5(), {{"style", "pfeiffer"}}).delta), 4 * one);
  EXPECT_EQ(adapter_numbers(*attach(delta_method("adapter"), small_gpt2(), {{"style", "parallel"}, {"biases", false}}).delta),
            2 * 2 * 16 * 24);
}

// The 1 105 920 numbers in 120 tensors that the DET paper trains in T5 v1.1 base.
TEST(Adapter, HasTheNumbersOfTheDetPaper) {
  const auto family = make_family({{"model_type", "t5"},
                                   {"vocab_size", 32128},
                                   {"d_model", 768},
                                   {"d_kv", 64},
                                   {"d_ff", 2048},
                                   {"num_layers", 12},
                                   {"num_decoder_layers", 12},
                                   {"num_heads", 12},
                                   {"feed_forward_proj", "gated-gelu"},
                                   {"is_encoder_decoder", true},
                                   {"tie_word_embeddings", false}},
                                  {HeadKind::seq2seq_lm, 0}, "config");
  const DeltaMethod& method = delta_method("adapter");
  const auto delta =
      method.attach(*family, method.options().resolve({{"bottleneck", 12}, {"activation", "silu"}, {"biases", false}}, "here"));
  EXPECT_EQ(adapter_numbers(*delta), 1105920);
  EXPECT_EQ(delta->tensors().size(), 120U);
}

struct Hooked {
  Attached attached;
  ForwardOptions forward;
  Site out;
  at::Tensor down, down_bias, up, up_bias;
};

/// The hooks over BERT's first feed-forward block, to be called by hand.
Hooked hooked(const nlohmann::json& options) {
  const SmallModel model = small_bert();
  Hooked result{attach(delta_method("adapter"), model, options), {}, {}, {}, {}, {}, {}};
  result.attached.delta->install(result.attached.random, result.forward);
  const auto& sites = result.attached.family->sites();
  result.out = *std::find_if(sites.begin(), sites.end(), [](const Site& site) { return site.kind == SiteKind::feed_forward_out; });
  const auto tensor = [&](const char* name) { return result.attached.random.at(result.out.module + ".adapter." + name); };
  result.down = tensor("down.weight");
  result.down_bias = tensor("down.bias");
  result.up = tensor("up.weight");
  result.up_bias = tensor("up.bias");
  return result;
}

TEST(Adapter, AddsTheBottleneckBehindTheBlock) {
  const c10::NoGradGuard guard;
  const Hooked h = hooked({{"style", "pfeiffer"}});
  const at::Tensor x = at::arange(48, at::kFloat).view({2, 24}).sin();
  const at::Tensor expected = x + at::matmul(at::relu(at::matmul(x, h.down.t()) + h.down_bias), h.up.t()) + h.up_bias;
  EXPECT_TRUE(at::allclose(h.forward.at_site.front()(h.out, x), expected, 1e-5, 1e-5));
  EXPECT_TRUE(h.forward.at_linear.empty());
}

TEST(Adapter, AddsTheBottleneckBesideTheBlock) {
  const c10::NoGradGuard guard;
  const Hooked h = hooked({{"style", "parallel"}, {"scale", 4}});
  const at::Tensor x = at::arange(48, at::kFloat).view({2, 24}).sin(), y = x.cos(), inside = at::ones({2, 40});
  const std::string module = "bert.encoder.layer.0.intermediate.dense";
  EXPECT_TRUE(at::equal(h.forward.at_linear.front()({module, x, inside}, inside), inside));
  const at::Tensor expected = y + 4 * (at::matmul(at::relu(at::matmul(x, h.down.t()) + h.down_bias), h.up.t()) + h.up_bias);
  EXPECT_TRUE(at::allclose(h.forward.at_site.front()(h.out, y), expected, 1e-5, 1e-5));
  EXPECT_THROW(h.forward.at_site.front()(h.out, y), Error);  // what came in was used up
}

TEST(Adapter, NamesTheNearestChoice) {
  try {
    attach(delta_method("adapter"), small_bert(), {{"style", "pfeifer"}});
    FAIL() << "an unknown choice was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("'pfeiffer'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::adapter
