#include "tsrun/base/operators.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"
#include "unit/train/toy.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun::layer_rates {
namespace {

using namespace plugin_testing;

const bool cases = add_selector_case("layer_rates", {{"decay", 0.5}});

Scope scope_for(const Family& family, const Weights& weights, double decay) {
  const SelectorMethod& method = selector_method("layer_rates");
  return method.choose({family, weights, Key::root(1)}, method.options().resolve({{"decay", decay}}, "test"))->scope;
}

TEST(LayerRates, FallFromTheHeadToTheEmbeddings) {
  const SmallModel bert = small_bert(), gpt2 = small_gpt2(), t5 = small_t5();
  const auto power = [](const SmallModel& model, const std::string& name) {
    return std::log(scope_for(*model.family, model.weights, 0.5).parameters.at(name).rate) / std::log(0.5);
  };
  EXPECT_DOUBLE_EQ(power(bert, "classifier.weight"), 0);
  EXPECT_DOUBLE_EQ(power(bert, "bert.pooler.dense.bias"), 0);
  EXPECT_DOUBLE_EQ(power(bert, "bert.encoder.layer.1.output.dense.weight"), 1);
  EXPECT_DOUBLE_EQ(power(bert, "bert.encoder.layer.0.attention.self.query.bias"), 2);
  EXPECT_DOUBLE_EQ(power(bert, "bert.embeddings.LayerNorm.weight"), 3);
  EXPECT_DOUBLE_EQ(power(gpt2, "transformer.ln_f.weight"), 1);
  EXPECT_DOUBLE_EQ(power(gpt2, "transformer.h.0.attn.c_attn.weight"), 2);
  EXPECT_DOUBLE_EQ(power(t5, "decoder.block.1.layer.0.SelfAttention.q.weight"), 1);
  EXPECT_DOUBLE_EQ(power(t5, "decoder.final_layer_norm.weight"), 1);
  EXPECT_DOUBLE_EQ(power(t5, "encoder.final_layer_norm.weight"), 3);
  EXPECT_DOUBLE_EQ(power(t5, "encoder.block.0.layer.0.SelfAttention.q.weight"), 4);
  EXPECT_DOUBLE_EQ(power(t5, "shared.weight"), 5);
}

TEST(LayerRates, AreWhatParametersMoveBy) {
  const Model model = toy::tiny_bert({HeadKind::classification, 2}, 0);
  const Task task = toy::sentiment();
  const toy::Scratch scratch;
  const auto moved = [&](const char* folder, const Scope& scope, const std::string& name) {
    TrainJob job = toy::job(model, task, {{"max_steps", 1}, {"optim", "sgd"}}, scratch.path() / folder);
    job.tune.scope = scope;
    return train(std::move(job)).last_weights.at(name) - model.weights.at(name);
  };
  const Scope halved = scope_for(*model.family, model.weights, 0.5);
  for (const auto& [name, factor] :
       std::map<std::string, double>{{"bert.encoder.layer.0.output.dense.weight", 0.25}, {"classifier.weight", 1}})
    EXPECT_TRUE(at::allclose(moved("halved", halved, name), factor * moved("plain", {}, name), 1e-2, 1e-7)) << name;
}

}  // namespace
}  // namespace tsrun::layer_rates
