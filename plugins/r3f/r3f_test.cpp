#include "support/step_goldens.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "method.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::r3f {
namespace {

using namespace plugin_testing;

const bool cases = add_regularizer_case("r3f", nlohmann::json::object()) &&
                   add_regularizer_case("r3f", {{"lambda", 5}, {"epsilon", 0.1}, {"noise", "normal"}, {"detach", false}});

Options r3f_options(const nlohmann::json& given) { return regularizer_method("r3f").options().resolve(given, "test"); }

/// What R3F adds to the rows that every table and layer gives, by module.
struct Shifts {
  std::map<std::string, at::Tensor> by_module;
  double term = 0;

  Shifts(const SmallModel& model, const nlohmann::json& given) {
    const auto r3f = regularizer_method("r3f").make({*model.family, model.weights, Key::root(1)}, r3f_options(given));
    Step step{0, 1, 0, Key::root(1), *model.family, model.weights, {}, 1, false};
    const Output plain = model.family->forward(model.weights, model.batch, {});
    ForwardPass pass{model.batch, 1, 0, false, model.weights, {}, {}, plain, at::scalar_tensor(1.0), {}, {}};
    pass.again = [&](Key, const std::function<void(Weights&, ForwardOptions&)>& change) {
      ForwardOptions options;
      Weights weights = model.weights;
      change(weights, options);
      options.at_linear.push_back([this](const LinearCall& call, const at::Tensor& output) {
        const at::Tensor shift = output - call.output;
        if (shift.abs().max().item<double>() > 0) by_module[call.module] = shift;
        return output;
      });
      return model.family->forward(weights, model.batch, options);
    };
    term = r3f->batch_loss(step, pass).item<double>();
  }
};

TEST(R3F, PutsNoiseOnTheWordsOfTheBatchAlone_InEveryFamily) {
  for (const auto& [model, words] : {std::pair(small_bert(), "bert.embeddings.word_embeddings"), std::pair(small_gpt2(), "transformer.wte"),
                                     std::pair(small_t5(), "encoder.embed_tokens")}) {
    const Shifts shifts(model, {{"epsilon", 0.5}});
    ASSERT_EQ(shifts.by_module.size(), 1U) << model.name;
    ASSERT_TRUE(shifts.by_module.contains(words)) << model.name << ' ' << shifts.by_module.begin()->first;
    const at::Tensor noise = shifts.by_module.at(words);
    EXPECT_EQ(noise.size(0), model.batch.ids.size(0)) << model.name;
    EXPECT_LE(noise.abs().max().item<double>(), 0.5001);
    EXPECT_NEAR(noise.square().mean().item<double>(), 0.25 / 3, 0.02);
    EXPECT_GT(shifts.term, 0);
  }
}

TEST(R3F, DrawsNormalNoise_WhenAsked) {
  const Shifts shifts(small_bert(), {{"epsilon", 0.5}, {"noise", "normal"}});
  const at::Tensor noise = shifts.by_module.begin()->second;
  EXPECT_NEAR(noise.std().item<double>(), 0.5, 0.06);
  EXPECT_GT(noise.abs().max().item<double>(), 1);
}

TEST(R3F, AddsNothing_WithoutNoiseOrDropout) { EXPECT_NEAR(Shifts(small_bert(), {{"epsilon", 0}}).term, 0, 1e-7); }

TEST(R3F, TrainsWithoutNoise_WhereOutputsHaveOneValue) {
  const auto family = make_family(read_json(goldens() / "bert_tiny/config.json"), {HeadKind::regression, 1}, "config.json");
  const Weights none;
  const auto r3f = regularizer_method("r3f").make({*family, none, Key::root(1)}, r3f_options({}));
  const SmallModel model = small_bert();
  Step step{0, 1, 0, Key::root(1), *family, none, {}, 1, false};
  ForwardPass pass{model.batch, 1, 0, false, none, {}, {}, {}, {}, {}, {}};
  EXPECT_FALSE(r3f->batch_loss(step, pass).defined());
  EXPECT_TRUE(r3f->report().contains("left_out"));
}

TEST(R3F, IsTheRuleOfItsReference) {
  for (const bool detach : {true, false}) {
    const nlohmann::json given = {{"epsilon", 0.2}, {"lambda", 2}, {"detach", detach}};
    const r3f::Noise noise = [](int64_t row, int64_t numbers, const Step& step) {
      return ((2 * golden_uniform(1000 * (step.number + 1) + row, numbers) - 1) * 0.2).to(at::kFloat);
    };
    expect_step_golden(detach ? "r3f" : "r3f_attached", {"r3f", given, {}, {}, [&](const MethodInputs& inputs) {
                                                           return r3f::make_r3f(inputs, r3f_options(given), noise);
                                                         }});
  }
}

}  // namespace
}  // namespace tsrun::r3f
