#include "support/step_goldens.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "method.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::mixout {
namespace {

using namespace plugin_testing;

const bool cases = add_regularizer_case("mixout", nlohmann::json::object()) &&
                   add_regularizer_case("mixout", {{"p", 0.6}, {"noise", "element"}, {"grad_rescale", true}, {"dropout", true}}) &&
                   add_regularizer_case("mixout", {{"p", 0.3}, {"parts", {"embeddings", "encoder"}}, {"matrices_only", false}});

Options mixout_options(const nlohmann::json& given) { return regularizer_method("mixout").options().resolve(given, "test"); }

/// Weights of one pass under Mixout, each trained parameter 1 above its origin.
struct MixedPass {
  SmallModel model;
  Weights now, mixed;
  bool dropout = true;

  MixedPass(SmallModel small, const nlohmann::json& given) : model(std::move(small)) {
    for (const std::string& name : model.weights.names()) now.set(name, (model.weights.at(name) + 1).set_requires_grad(true));
    const auto mixout = regularizer_method("mixout").make({*model.family, model.weights, Key::root(1)}, mixout_options(given));
    Step step{0, 1, 0, Key::root(1), *model.family, now, {}, 1, false};
    ForwardPass pass{model.batch, 1, 0, false, now, {}, {}, {}, {}, {}, {}};
    pass.options.training = true;
    mixout->before_forward(step, pass);
    mixed = pass.weights;
    dropout = pass.options.training;
  }
  /// 0 where the origin stands in for the weight, 1 / (1 - p) elsewhere.
  at::Tensor shift(const std::string& name) const { return (mixed.at(name) - model.weights.at(name)).detach(); }
};

TEST(Mixout, ReplacesWholeInputs_InEitherOrderOfTheWeight) {
  const MixedPass bert(small_bert(), {{"p", 0.75}}), gpt2(small_gpt2(), {{"p", 0.75}});
  const at::Tensor rows = bert.shift("bert.encoder.layer.0.intermediate.dense.weight"),
                   columns = gpt2.shift("transformer.h.0.mlp.c_fc.weight");
  EXPECT_TRUE(at::allclose(rows, rows.select(0, 0).expand_as(rows), 0, 1e-5));
  EXPECT_TRUE(at::allclose(columns, columns.select(1, 0).unsqueeze(1).expand_as(columns), 0, 1e-5));
  for (const at::Tensor& shift : {rows.select(0, 0), columns.select(1, 0)}) {
    EXPECT_TRUE(((shift.abs() < 1e-5) | ((shift - 4).abs() < 1e-5)).all().item<bool>()) << shift;
    EXPECT_GT(shift.min().item<double>() + 4, shift.max().item<double>() - 1e-4);
    EXPECT_LT(shift.min().item<double>(), shift.max().item<double>());
  }
}

TEST(Mixout, DrawsForEveryElement_WhenAsked) {
  const MixedPass pass(small_bert(), {{"p", 0.5}, {"noise", "element"}});
  const at::Tensor shift = pass.shift("bert.encoder.layer.0.intermediate.dense.weight");
  EXPECT_FALSE(at::allclose(shift, shift.select(0, 0).expand_as(shift), 0, 1e-5));
  EXPECT_NEAR(shift.mean().item<double>(), 1, 0.15);
}

TEST(Mixout, LeavesBiasesNormsAndEmbeddings_AndSwitchesDropoutOff_UnlessAsked) {
  const std::string norm = "bert.encoder.layer.0.output.LayerNorm.weight", words = "bert.embeddings.word_embeddings.weight";
  const MixedPass usual(small_bert(), {{"p", 0.5}});
  EXPECT_FALSE(usual.dropout);
  for (const std::string& name : {norm, words}) EXPECT_TRUE(usual.mixed.at(name).is_same(usual.now.at(name))) << name;
  const MixedPass asked(small_bert(), {{"p", 0.5}, {"parts", {"embeddings", "encoder"}}, {"matrices_only", false}, {"dropout", true}});
  EXPECT_TRUE(asked.dropout);
  for (const std::string& name : {norm, words}) EXPECT_FALSE(asked.mixed.at(name).is_same(asked.now.at(name))) << name;
}

TEST(Mixout, RefusesATrainingOfOtherParameters) {
  const SmallModel model = small_bert();
  const auto mixout = regularizer_method("mixout").make({*model.family, model.weights, Key::root(1)}, mixout_options({}));
  Step step{0, 1, 0, Key::root(1), *model.family, model.weights, {}, 1, false};
  ForwardPass pass{model.batch, 1, 0, false, model.weights, {}, {}, {}, {}, {}, {}};
  EXPECT_THROW(mixout->before_forward(step, pass), Error);
}

TEST(Mixout, IsTheRuleOfItsReference) {
  for (const auto& [name, given] : std::map<std::string, nlohmann::json>{
           {"mixout", {{"p", 0.4}}}, {"mixout_elements", {{"p", 0.4}, {"noise", "element"}, {"grad_rescale", true}}}}) {
    const bool per_input = name == "mixout";
    expect_step_golden(name, {"mixout", given, {.whole_vocabulary = false}, {}, [&](const MethodInputs& inputs) {
                                return mixout::make_mixout(inputs, mixout_options(given), [&](const ParameterInfo& info, const Step& step) {
                                  return golden_kept(info, step.number, 0.4, per_input);
                                });
                              }});
  }
}

}  // namespace
}  // namespace tsrun::mixout
