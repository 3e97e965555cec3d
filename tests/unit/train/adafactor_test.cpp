#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/random.h"
#include "tsrun/train/optimizer.h"
#include "unit/train/toy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr int kAdafactorSteps = 5;

std::vector<ParameterGroup> group_of(const Layout& layout, double lr = 0.05, double weight_decay = 0) {
  ParameterGroup group;
  group.name = "encoder";
  group.layout = layout;
  group.value = at::linspace(-1, 1, layout.total());
  group.gradient = at::zeros({layout.total()});
  group.lr = lr;
  group.weight_decay = weight_decay;
  return {group};
}

Layout three_shapes() { return Layout().add("vector", {4}).add("matrix", {3, 2}).add("stack", {2, 3, 2}); }

void set_known_gradient(ParameterGroup& group, int t) {
  const at::Tensor index = at::arange(1, group.value.numel() + 1, at::kFloat);
  group.gradient.copy_(index.sin() * std::cos(0.7F * static_cast<float>(t)) + 0.1 * group.value);
}

void make_steps(Optimizer& optimizer, std::vector<ParameterGroup>& groups, int from = 0, int to = kAdafactorSteps) {
  for (int t = from; t < to; ++t) {
    set_known_gradient(groups[0], t);
    optimizer.step(1);
  }
}

void expect_near(const at::Tensor& found, const std::vector<float>& expected, double tolerance = 1e-6) {
  ASSERT_EQ(found.numel(), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(found[static_cast<int64_t>(i)].item<float>(), expected[i], tolerance) << "element " << i;
  }
}

/// Where three_shapes() ends after five steps; the vector is never decayed.
at::Tensor end_of_run(double weight_decay, const AdafactorOptions& options) {
  auto groups = group_of(three_shapes(), 0.05, weight_decay);
  groups[0].spans = {{0, 4}, {4, 10, 1, weight_decay}, {10, 22, 1, weight_decay}};
  make_steps(*make_adafactor(groups, options), groups);
  return groups[0].value;
}

// Golden numbers: tests/goldens/make_optimizers.py
TEST(Adafactor, EqualsTransformers_ForOneTwoAndThreeDimensions) {
  expect_near(end_of_run(0, {}),
              {-0.997521341f, -0.906401753f, -0.699898243f, -0.674803793f, -0.586380959f, -0.498075604f, -0.425914317f, -0.343613386f,
               -0.233148351f, -0.117701232f, -0.031788066f, 0.0546861142f, 0.13236545f,   0.213739812f,  0.302721471f,  0.407585293f,
               0.525921643f,  0.612811089f,  0.683204114f,  0.766276956f,  0.858070195f,  0.950322926f});
}

TEST(Adafactor, EqualsTransformers_WithWeightDecay) {
  expect_near(end_of_run(0.1, {}),
              {-0.997521341f, -0.906401753f, -0.699898243f,  -0.674803793f, -0.573321044f, -0.486127257f, -0.414377749f, -0.33357352f,
               -0.226295114f, -0.116166279f, -0.0324514247f, 0.0524684265f, 0.129707798f,  0.210061818f,  0.296664834f,  0.396626383f,
               0.511497438f,  0.596406043f,  0.666415751f,   0.748892844f,  0.838272095f,  0.926537573f});
}

TEST(Adafactor, EqualsTransformers_WithOtherOptions) {
  expect_near(end_of_run(0.1, {.clip_threshold = 0.6, .decay_rate = -0.5, .eps1 = 1e-3}),
              {-1.00642645f,  -0.913991749f, -0.739756942f,  -0.680080652f, -0.578632057f, -0.490541726f, -0.418319881f, -0.33786571f,
               -0.230403483f, -0.115957588f, -0.0322624147f, 0.0533386767f, 0.130665243f,  0.211381048f,  0.29936415f,   0.402600825f,
               0.516363978f,  0.602246702f,  0.672243834f,   0.75691098f,   0.847282112f,  0.935990751f});
}

TEST(Adafactor, MovesAVectorByTheRateAndTheSign_AtFirst) {
  auto groups = group_of(Layout().add("z", {4}), 0.05);
  groups[0].value.zero_();
  groups[0].gradient.copy_(at::tensor({3.0F, -0.25F, 1e-6F, 0.0F}));
  const auto optimizer = make_adafactor(groups, {});
  optimizer->step(1);
  expect_near(groups[0].value, {-0.05F, 0.05F, -0.05F, 0.0F}, 1e-8);

  // Gradients ten times as large: V = (b + (1 − b) 100) g² with b = 1 − 2^−0.8 = 0.425651, so |u| = 10 / √57.8605 = 1.314640 where there is
  // a gradient. Three of four such give the root mean square 1.314640 √(3/4), and what remains is 1 / √(3/4) = 1.154701.
  groups[0].value.zero_();
  groups[0].gradient.mul_(10);
  optimizer->step(1);
  expect_near(groups[0].value, {-0.0577350F, 0.0577350F, -0.0577350F, 0.0F}, 1e-7);
}

TEST(Adafactor, MovesAMatrixByItsRowsAndColumns) {
  auto groups = group_of(Layout().add("weight", {2, 2}), 1);
  groups[0].value.zero_();
  groups[0].gradient.copy_(at::tensor({1.0F, 2.0F, 3.0F, 4.0F}));
  const auto optimizer = make_adafactor(groups, {});
  optimizer->step(1);
  // R = (2.5, 12.5) with mean 7.5, C = (5, 10): u = g / √(R/7.5 C), squares 0.6, 1.2, 1.08 and 0.96, whose mean 0.96 is below the limit.
  expect_near(groups[0].value, {-0.774597F, -1.095445F, -1.039230F, -0.979796F});
  EXPECT_TRUE(at::allclose(optimizer->state().at("encoder.weight.exp_avg_sq_row"), at::tensor({2.5F, 12.5F})));
  EXPECT_TRUE(at::allclose(optimizer->state().at("encoder.weight.exp_avg_sq_col"), at::tensor({5.0F, 10.0F})));

  // Ten times the gradient gives u times 1.314640 (see above), a root mean square of 1.288, so that u / √0.96 remains.
  groups[0].value.zero_();
  groups[0].gradient.mul_(10);
  optimizer->step(1);
  expect_near(groups[0].value, {-0.790569F, -1.118034F, -1.060660F, -1.0F});
}

TEST(Adafactor, TreatsEveryTensorOnItsOwn) {
  auto together = group_of(Layout().add("a", {3, 2}).add("b", {4}));
  auto first = group_of(Layout().add("a", {3, 2})), second = group_of(Layout().add("b", {4}));
  const auto whole = make_adafactor(together, {}), a = make_adafactor(first, {}), b = make_adafactor(second, {});
  first[0].value.copy_(together[0].value.narrow(0, 0, 6));
  second[0].value.copy_(together[0].value.narrow(0, 6, 4));
  for (int t = 0; t < kAdafactorSteps; ++t) {
    set_known_gradient(together[0], t);
    first[0].gradient.copy_(together[0].gradient.narrow(0, 0, 6));
    second[0].gradient.copy_(together[0].gradient.narrow(0, 6, 4));
    for (auto* optimizer : {whole.get(), a.get(), b.get()}) optimizer->step(0.5);
  }
  EXPECT_TRUE(at::equal(together[0].value, at::cat({first[0].value, second[0].value})));
}

TEST(Adafactor, KeepsRowsAndColumns_NotElements) {
  auto groups = group_of(Layout().add("bias", {5}).add("weight", {7, 3}).add("stack", {2, 7, 3}).add("none", {0, 3}));
  const auto state = make_adafactor(groups, {})->state();
  EXPECT_THAT(state, UnorderedElementsAre(::testing::Key("step"), ::testing::Key("encoder.bias.exp_avg_sq"),
                                          ::testing::Key("encoder.weight.exp_avg_sq_row"), ::testing::Key("encoder.weight.exp_avg_sq_col"),
                                          ::testing::Key("encoder.stack.exp_avg_sq_row"), ::testing::Key("encoder.stack.exp_avg_sq_col")));
  EXPECT_THAT(state.at("encoder.bias.exp_avg_sq").sizes().vec(), ElementsAre(5));
  EXPECT_THAT(state.at("encoder.weight.exp_avg_sq_row").sizes().vec(), ElementsAre(7));
  EXPECT_THAT(state.at("encoder.weight.exp_avg_sq_col").sizes().vec(), ElementsAre(3));
  EXPECT_THAT(state.at("encoder.stack.exp_avg_sq_row").sizes().vec(), ElementsAre(2, 7));
  EXPECT_THAT(state.at("encoder.stack.exp_avg_sq_col").sizes().vec(), ElementsAre(2, 3));
}

TEST(Adafactor, LeavesWhatHasNoGradient_WhileTheRestMoves) {
  auto groups = group_of(Layout().add("embedding", {3, 2}));
  const at::Tensor before = groups[0].value.clone();
  const auto optimizer = make_adafactor(groups, {});
  for (int t = 0; t < kAdafactorSteps; ++t) {
    groups[0].gradient.copy_(at::tensor({0.0F, 0.0F, 1.0F, 1e-4F, 0.0F, 0.0F}));
    optimizer->step(1);
  }
  EXPECT_TRUE(at::equal((groups[0].value == before).nonzero().view({-1}), at::tensor({int64_t{0}, int64_t{1}, int64_t{4}, int64_t{5}})));
  EXPECT_TRUE(groups[0].value.isfinite().all().item<bool>());
}

TEST(Adafactor, ContinuesBitEqual_FromItsState) {
  auto whole = group_of(three_shapes()), first = group_of(three_shapes()), second = group_of(three_shapes());
  make_steps(*make_adafactor(whole, {}), whole);
  const auto before = make_adafactor(first, {});
  make_steps(*before, first, 0, 2);
  second[0].value.copy_(first[0].value);
  const auto after = make_adafactor(second, {});
  after->restore(before->state());
  make_steps(*before, first, 2, 3);  // what was restored is a copy
  make_steps(*after, second, 2);
  EXPECT_TRUE(at::equal(second[0].value, whole[0].value));
}

TEST(Adafactor, RefusesStateAndLayouts_OfAnotherShape) {
  auto groups = group_of(Layout().add("weight", {3, 2})), other = group_of(Layout().add("weight", {2, 3}));
  const auto optimizer = make_adafactor(groups, {});
  EXPECT_THROW(optimizer->restore(make_adafactor(other, {})->state()), Error);
  EXPECT_THROW(optimizer->restore({}), Error);
  groups[0].layout = Layout().add("weight", {3, 1});
  EXPECT_THROW(make_adafactor(groups, {}), Error);
}

// LibTorch's norm sums float32 in float32 on the CPU: 8e-5 off over this many elements, percents over a large vocabulary.
TEST(Adafactor, LimitsTheUpdateExactly_OfALargeMatrix) {
  auto groups = group_of(Layout().add("embedding", {4096, 1024}), 1);
  groups[0].value.zero_();
  at::Tensor& gradient = groups[0].gradient;
  fill_normal(Key::root(1), {gradient.mutable_data_ptr<float>(), static_cast<size_t>(gradient.numel())}, 0, 0, 0.01F);
  make_adafactor(groups, {.clip_threshold = 0.5})->step(1);
  EXPECT_NEAR(groups[0].value.to(at::kDouble).square().mean().sqrt().item<double>(), 0.5, 2e-6);
}

/// Where a run begins.
class Resumed final : public Observer {
 public:
  explicit Resumed(int64_t& at) : at_(at) {}
  void begin(const Binding&, int64_t, int64_t resumed_at_step) override { at_ = resumed_at_step; }

 private:
  int64_t& at_;
};

nlohmann::json published_setting(nlohmann::json options) {
  options.update({{"optim", "adafactor"}, {"lr_scheduler_type", "constant"}, {"max_grad_norm", 0.0}});
  return options;
}

TEST(AdafactorTraining, LearnsToySentiment) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  const TrainResult result = train(toy::job(model, task, published_setting({{"epochs", 10}, {"batch_size", 16}}), scratch.path() / "work"));
  EXPECT_GE(result.last.metrics.at("accuracy"), 0.9);
  EXPECT_LT(result.last.top_answer_share, 0.7);
}

TEST(AdafactorTraining, ResumesBitEqual_FromACheckpoint) {
  const toy::Scratch scratch;
  const fs::path work = scratch.path() / "work";
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  const auto run = [&](int64_t& began) {
    auto job = toy::job(model, task, published_setting({{"epochs", 3}, {"batch_size", 16}, {"checkpoint_every", 7}}), work);
    job.tune.weight_decay = 0.01;
    job.observers.push_back(std::make_unique<Resumed>(began));
    return train(std::move(job));
  };
  int64_t first = -1, second = -1;
  const TrainResult whole = run(first);
  const std::string metrics = toy::bytes_of(work / "metrics.jsonl");
  fs::remove_all(work / "step-000014");
  const TrainResult rest = run(second);
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 7);
  EXPECT_TRUE(toy::bytes_of(work / "metrics.jsonl") == metrics);
  for (const auto& name : whole.last_weights.names()) {
    EXPECT_TRUE(at::equal(rest.last_weights.at(name), whole.last_weights.at(name))) << name;
  }
}

// The update of a matrix is limited by its mean over all rows, those that no text reaches among them.
TEST(AdafactorTraining, LeavesNoRowOfTheVocabularyOut) {
  const toy::Scratch scratch;
  Task task = toy::sentiment(16, 16);
  for (auto& [name, split] : task.splits) {
    for (auto& example : split.examples) example.first = example.target > 0.5 ? "good film" : "bad film";
  }
  const Model model = toy::tiny_bert();
  const nlohmann::json options = {{"max_steps", 1}, {"batch_size", 16}};
  const TrainResult elementwise = train(toy::job(model, task, options, scratch.path() / "adamw"));
  const TrainResult factored = train(toy::job(model, task, published_setting(options), scratch.path() / "adafactor"));
  EXPECT_GT(elementwise.report.out_of_reach, 0);
  EXPECT_EQ(factored.report.out_of_reach, 0);
}

}  // namespace
}  // namespace tsrun
