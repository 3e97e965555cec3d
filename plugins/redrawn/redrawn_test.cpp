#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "random_basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"

#include <gtest/gtest.h>

#include "support/errors.h"

#include <cmath>

namespace tsrun::redrawn {
namespace {

using namespace plugin_testing;

const bool cases =
    add_regularizer_case("redrawn", {{"dim", 5}}) &&
    add_regularizer_case("redrawn", {{"dim", 3}, {"every", 3}, {"compartments", "tensor"}}) &&
    add_regularizer_case("redrawn", {{"dim", 4}, {"every", 2}, {"compartments", "layer"}, {"length", "exact"}, {"rescale", true}});

std::unique_ptr<Regularizer> made(const SmallModel& model, const nlohmann::json& options) {
  const RegularizerMethod& method = regularizer_method("redrawn");
  return method.make({*model.family, model.weights, Key::root(3)}, method.options().resolve(options, "test"));
}

/// One block "encoder" of two tensors, with gradients of their own, in step `number`.
struct OneBlock {
  SmallModel model = small_bert();
  Layout layout = Layout().add("layer.0.a", {300}).add("layer.1.b", {200});
  Step step;
  explicit OneBlock(int64_t number, const std::string& name = "encoder")
      : step{number, 9, 0, Key::root(static_cast<uint64_t>(number)), *model.family, model.weights, {}, 1, false} {
    at::Tensor gradient = at::empty({500}, at::kFloat);
    fill_normal(Key::root(7), {gradient.data_ptr<float>(), 500});
    step.blocks.push_back({name, &layout, at::zeros({500}), gradient, {}, 0.1, {}});
  }
  at::Tensor after(const nlohmann::json& options) {
    made(model, options)->after_backward(step);
    return step.blocks[0].gradient;
  }
};

at::Tensor directions(Key key, int64_t dim, int64_t size) {
  at::Tensor rows = at::empty({dim, size}, at::kFloat);
  for (int64_t k = 0; k < dim; ++k)
    fill_normal(key.split(static_cast<uint64_t>(k)), {rows.data_ptr<float>() + k * size, static_cast<size_t>(size)});
  return rows;
}

TEST(Redrawn, ProjectsOntoItsDirections_OfExpectedOrExactLength) {
  for (const bool exact : {false, true}) {
    at::Tensor g = at::empty({40000}, at::kFloat);
    fill_normal(Key::root(7), {g.data_ptr<float>(), 40000});
    at::Tensor phi = directions(Key::root(9), 6, 40000).to(at::kDouble);
    phi = exact ? phi / phi.norm(2, 1, true) : phi / std::sqrt(40000.0);
    const at::Tensor wide = g.to(at::kDouble), expected = phi.t().matmul(phi.mv(wide));
    const auto kept = redrawn::project_onto_random({{{g.data_ptr<float>(), 40000}, Key::root(9)}}, {6, exact, false});
    EXPECT_TRUE(at::allclose(g.to(at::kDouble), expected, 1e-4, 1e-6));
    EXPECT_NEAR(kept.before, wide.square().sum().item<double>(), 1e-6 * kept.before);
    EXPECT_NEAR(kept.after, expected.square().sum().item<double>(), 1e-4 * kept.after);
  }
}

TEST(Redrawn, GivesTheSameBits_WithAnyNumberOfThreads) {
  const int before = threads();
  std::vector<at::Tensor> found;
  for (const int count : {1, 3}) {
    set_threads(count);
    at::Tensor g = at::ones({70000}, at::kFloat);
    redrawn::project_onto_random({{{g.data_ptr<float>(), 70000}, Key::root(9)}}, {4, false, false});
    found.push_back(g);
  }
  set_threads(before);
  EXPECT_TRUE(at::equal(found[0], found[1]));
}

TEST(Redrawn, KeepsABasisForItsSteps_AndThenDrawsAnother) {
  const nlohmann::json options = {{"dim", 5}, {"every", 4}};
  const at::Tensor first = OneBlock(4).after(options).clone();
  EXPECT_TRUE(at::equal(OneBlock(7).after(options), first));
  EXPECT_FALSE(at::equal(OneBlock(8).after(options), first));
}

TEST(Redrawn, GivesEachTensorDirectionsOfItsOwn) {
  OneBlock one(0);
  one.step.blocks[0].gradient.slice(0, 300).zero_();
  const at::Tensor apart = one.after({{"dim", 5}, {"compartments", "tensor"}});
  EXPECT_GT(apart.slice(0, 0, 300).abs().min().item<float>(), 0);
  EXPECT_EQ(apart.slice(0, 300).abs().max().item<float>(), 0);
  OneBlock whole(0);
  whole.step.blocks[0].gradient.slice(0, 300).zero_();
  EXPECT_GT(whole.after({{"dim", 5}}).slice(0, 300).abs().max().item<float>(), 0);
}

TEST(Redrawn, IsTheGradientOnAverage_WhenRescaled) {
  at::Tensor mean = at::zeros({500}, at::kFloat);
  for (int64_t number = 0; number < 400; ++number) mean.add_(OneBlock(number).after({{"dim", 50}, {"rescale", true}}), 1.0 / 400);
  const at::Tensor g = OneBlock(0).step.blocks[0].gradient;
  EXPECT_LT((mean - g).norm().item<double>() / g.norm().item<double>(), 0.25);  // √(500 / 50 / 400) = 0.16
}

TEST(Redrawn, LeavesOtherParts_AndRefusesATrainingWithoutItsOwn) {
  OneBlock head(0, "head");
  EXPECT_THROW(head.after({{"dim", 5}}), Error);
}

TEST(Redrawn, KnowsThePartsOfModelsAlone) {
  EXPECT_THAT(testing::message_of(ErrorKind::user,
                                  [] {
                                    made(small_bert(), {{"parts", {"encoder", "embedings"}}});
                                  }),
              ::testing::HasSubstr("did you mean 'embeddings'"));
}

TEST(Redrawn, TellsTheShareThatItsDirectionsKeep_RescaledOrNot) {
  for (const bool rescaled : {false, true}) {
    OneBlock one(0);
    const auto method = made(one.model, {{"dim", 20}, {"compartments", "layer"}, {"rescale", rescaled}});
    method->after_backward(one.step);
    EXPECT_NEAR(method->report().at("kept_share").get<double>(), 40.0 / 500, 0.05) << rescaled;
  }
}

}  // namespace
}  // namespace tsrun::redrawn
