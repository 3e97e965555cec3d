#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

namespace tsrun::lora {
namespace {

using namespace plugin_testing;

const bool cases =
    add_delta_case("lora", nlohmann::json::object()) &&
    add_delta_case("lora", {{"target_modules", {"all-linear"}}, {"r", 4}, {"use_rslora", true}}) &&
    add_delta_case("lora", {{"use_dora", true}, {"r", 3}}) && add_delta_case("lora", {{"init_lora_weights", "pissa"}}) &&
    add_delta_case("lora", {{"init_lora_weights", "orthogonal"}, {"lora_dropout", 0.2}}) &&
    add_delta_case("lora", {{"use_dora", true}, {"lora_dropout", 0.2}, {"init_lora_weights", "release"}}) &&
    add_delta_case("lora", {{"bias", "all"}, {"lora_bias", true}, {"target_modules", "all-linear"}}) &&
    add_delta_case(
        "lora", {{"bias", "lora_only"}, {"trainable_token_indices", {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}}, {"use_rslora", true}}) &&
    add_delta_case("lora", {{"target_modules", {"word_embeddings", "wte", "embed_tokens", "value"}}, {"use_dora", true}}) &&
    add_delta_case("lora", {{"target_modules", {"query"}}, {"modules_to_save", {"LayerNorm", "ln_1", "layer_norm"}}});

int64_t numbers_of(const SmallModel& model, const nlohmann::json& options) {
  int64_t numbers = 0;
  const Attached attached = attach(delta_method("lora"), model, options);
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(Lora, CountsAsByHand) {
  EXPECT_EQ(numbers_of(small_bert(), {{"r", 8}}), 2 * 2 * 8 * (24 + 24));
  EXPECT_EQ(numbers_of(small_gpt2(), {{"r", 8}}), 2 * 8 * (24 + 72));  // one fused map makes queries and values
  EXPECT_EQ(numbers_of(small_t5(), {{"r", 8}}), 4 * 2 * 8 * (24 + 24));
  EXPECT_EQ(numbers_of(small_bert(), {{"r", 8}, {"use_dora", true}}), 2 * 2 * (8 * (24 + 24) + 24));
  EXPECT_EQ(numbers_of(small_bert(), {{"r", 8}, {"rank_pattern", {{"value", 2}}}}), 2 * (8 + 2) * (24 + 24));
}

TEST(Lora, CountsWhatItTrainsBesideItsFactors) {
  const nlohmann::json query = {{"r", 2}, {"target_modules", {"query"}}};
  const auto with = [&](nlohmann::json more) {
    more.update(query);
    return numbers_of(small_bert(), more) - numbers_of(small_bert(), query);
  };
  EXPECT_EQ(with({{"lora_bias", true}}), 2 * 24);
  EXPECT_EQ(with({{"bias", "lora_only"}}), 2 * 24);
  EXPECT_EQ(with({{"trainable_token_indices", {1, 2, 3}}}), 3 * 24);
  EXPECT_EQ(with({{"modules_to_save", {"output.LayerNorm"}}}), 2 * 2 * 2 * 24);
}

std::string lora_refused(const SmallModel& model, const nlohmann::json& options) {
  try {
    attach(delta_method("lora"), model, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    return error.what();
  }
  return "accepted";
}

TEST(Lora, RefusesWhatPeftRefuses) {
  EXPECT_NE(lora_refused(small_bert(), {{"lora_bias", true}, {"use_dora", true}}).find("use_dora"), std::string::npos);
  EXPECT_NE(lora_refused(small_bert(), {{"lora_bias", true}, {"init_lora_weights", "gaussian"}}).find("gaussian"), std::string::npos);
  EXPECT_NE(
      lora_refused(small_bert(), {{"lora_bias", true}, {"target_modules", {"word_embeddings"}}}).find("does not combine with embeddings"),
      std::string::npos);
  EXPECT_NE(lora_refused(small_bert(), {{"trainable_token_indices", {-1}}}).find("token ids from 0"), std::string::npos);
  EXPECT_NE(lora_refused(small_bert(), {{"trainable_token_indices", {{"word_embedings", {1}}}}}).find("word_embeddings"),
            std::string::npos);
  EXPECT_NE(lora_refused(small_bert(), {{"trainable_token_indices", {1}}, {"target_modules", {"word_embeddings"}}}).find("one of them"),
            std::string::npos);
}

TEST(Lora, NamesTheNearestTarget_WhenOneMatchesNothing) {
  try {
    attach(delta_method("lora"), small_bert(), {{"target_modules", {"qeury"}}});
    FAIL() << "a target that matches nothing was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("'query'"), std::string::npos) << error.what();
  }
}

TEST(Lora, RefusesARankThatItsStartCannotFill) {
  EXPECT_EQ(numbers_of(small_bert(), {{"r", 25}}), 2 * 2 * 25 * (24 + 24)) << "PEFT takes it too";
  EXPECT_THROW(attach(delta_method("lora"), small_bert(), {{"r", 25}, {"init_lora_weights", "pissa"}}), Error);
  EXPECT_THROW(attach(delta_method("lora"), small_bert(), {{"r", 3}, {"init_lora_weights", "orthogonal"}}), Error);
}

TEST(Lora, StartsInTheBoundsOfTheRelease) {
  const Attached attached = attach(delta_method("lora"), small_bert(), {{"r", 16}, {"init_lora_weights", "release"}});
  const at::Tensor a = attached.first.at("bert.encoder.layer.0.attention.self.query.lora_A.weight");
  EXPECT_LE(a.abs().max().item<double>(), 0.25);  // 1/√16; by inputs it would be 1/√24 = 0.204
  EXPECT_GT(a.abs().max().item<double>(), 0.24);
  EXPECT_FALSE(attached.first.at("bert.encoder.layer.0.attention.self.query.lora_B.weight").any().item<bool>());
}

TEST(Lora, StartsPissaFromOneDecomposition) {
  const SmallModel model = small_bert();
  const Attached attached = attach(delta_method("lora"), model, {{"r", 6}, {"init_lora_weights", "pissa"}});
  const std::string map = "bert.encoder.layer.1.attention.self.value";
  const at::Tensor a = attached.first.at(map + ".lora_A.weight"), b = attached.first.at(map + ".lora_B.weight");
  const at::Tensor whole = model.weights.at(map + ".weight"), rest = attached.first.at(map + ".weight");
  const double scale = 8.0 / 6;
  EXPECT_TRUE(at::allclose(rest + at::matmul(b, a) * scale, whole, 1e-5, 1e-6));
  const at::Tensor values = at::linalg_svdvals(whole.to(at::kDouble)), rests = at::linalg_svdvals(rest.to(at::kDouble));
  EXPECT_TRUE(at::allclose(rests.narrow(0, 0, 18), values.narrow(0, 6, 18), 1e-4, 1e-5));  // the six largest were taken out
  // Asked for alone or the other way round, a factor is the same.
  const DeltaTensor tensor{map + ".lora_B.weight", b.sizes().vec(), 1};
  EXPECT_TRUE(at::equal(attached.delta->initial(tensor, model.weights, Key::root(1)), b));
}

/// The hook over one map of a model, called by hand with the mask that its key draws.
void expect_dora_with_dropout(const SmallModel& model, const std::string& map, int64_t inputs, bool transposed) {
  const c10::NoGradGuard guard;
  const double p = 0.4;
  const Attached attached =
      attach(delta_method("lora"), model, {{"r", 2}, {"use_dora", true}, {"lora_dropout", p}, {"target_modules", {map}}});
  const auto tensor = [&](const std::string& name) { return attached.random.at(map + name); };
  ForwardOptions forward;
  forward.training = true;
  forward.dropout = Key::root(11);
  attached.delta->install(attached.random, forward);
  const at::Tensor x = at::arange(5 * inputs, at::kFloat).view({5, inputs}).sin();
  const at::Tensor kept = dropout(at::ones_like(x), p, Key::root(11).split("lora").split(map));
  EXPECT_GT((kept == 0).sum().item<int64_t>(), 0);
  const at::Tensor weight = transposed ? tensor(".weight").t() : tensor(".weight");
  const at::Tensor change = at::matmul(tensor(".lora_B.weight"), tensor(".lora_A.weight")) * 4;
  const at::Tensor g = tensor(".lora_magnitude_vector") / (weight + change).norm(2, {1});
  const at::Tensor plain = at::matmul(x, weight.t()) + tensor(".bias");
  const at::Tensor whole = at::matmul(x * kept, weight.t()), low = at::matmul(x * kept, change.t());
  EXPECT_TRUE(at::allclose(forward.at_linear.front()({map, x, plain}, plain), plain + (g - 1) * whole + g * low, 1e-4, 1e-5));

  ForwardOptions evaluation;  // nothing is dropped: W x + b is g (W + s B A) x + b
  attached.delta->install(attached.random, evaluation);
  const at::Tensor expected = at::matmul(x, (weight + change).t()) * g + tensor(".bias");
  EXPECT_TRUE(at::allclose(evaluation.at_linear.front()({map, x, plain}, plain), expected, 1e-4, 1e-5));
}

TEST(Lora, DropsTheSameInputsOfBothPathsOfDora) {
  expect_dora_with_dropout(small_bert(), "bert.encoder.layer.0.attention.self.query", 24, false);
  expect_dora_with_dropout(small_gpt2(), "transformer.h.0.attn.c_attn", 24, true);
}

TEST(Lora, EvaluatesDoraAsWithoutDropout) {
  const SmallModel model = small_t5();
  const Attached one = attach(delta_method("lora"), model, {{"use_dora", true}}),
                 other = attach(delta_method("lora"), model, {{"use_dora", true}, {"lora_dropout", 0.3}});
  EXPECT_TRUE(at::allclose(logits_of(*one.family, one.random, model.batch), logits_of(*other.family, one.random, model.batch), 1e-4, 1e-4));
}

}  // namespace
}  // namespace tsrun::lora
