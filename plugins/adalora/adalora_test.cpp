#include "support/golden_models.h"
#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

namespace tsrun::adalora {
namespace {

using namespace plugin_testing;

const nlohmann::json pattern = {{"bert.encoder.layer.0.attention.self.query.lora_E", {true, false, true, false, false}}};
const bool cases =
    add_delta_case("adalora", {{"init_r", 4}}) && add_delta_case("adalora", {{"lora_dropout", 0.3}, {"target_modules", "all-linear"}}) &&
    add_regularizer_case("rank_budget", {{"target_r", 3}, {"tinit", 1}, {"tfinal", 1}}, {.delta = "adalora", .batch_statistic = true}) &&
    add_regularizer_case("rank_budget", {{"target_r", 2}, {"deltaT", 2}, {"orth_reg_weight", 0}},
                         {.delta = "adalora", .batch_statistic = true});

int64_t adalora_numbers(const nlohmann::json& options) {
  int64_t numbers = 0;
  for (const DeltaMatch& match : attach(delta_method("adalora"), small_bert(), options).delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(AdaLora, CountsAsByHand) {
  EXPECT_EQ(adalora_numbers(nlohmann::json::object()), 2 * 2 * 12 * (24 + 1 + 24));
  EXPECT_EQ(adalora_numbers({{"init_r", 5}, {"rank_pattern", pattern}}), (3 * 5 + 2) * (24 + 1 + 24));
}

TEST(AdaLora, ScalesByTheFirstRank_WhateverIsLeft) {
  const c10::NoGradGuard guard;
  const Attached attached = attach(delta_method("adalora"), small_bert(), {{"init_r", 5}, {"lora_alpha", 10}, {"rank_pattern", pattern}});
  const std::string map = "bert.encoder.layer.0.attention.self.query";
  const auto tensor = [&](const char* ending) { return attached.random.at(map + ending); };
  const at::Tensor update = at::matmul(tensor(".lora_B"), tensor(".lora_E") * tensor(".lora_A")) * (10 / (5 + 1e-5));
  const at::Tensor merged = attached.delta->merge(attached.random)->at(map + ".weight");
  EXPECT_TRUE(at::allclose(merged - tensor(".weight"), update, 1e-4, 1e-5));
}

TEST(AdaLora, RefusesPatternsOfNoModule_AndEmptyOnes) {
  const std::string query = "bert.encoder.layer.0.attention.self.query.lora_E";
  for (const nlohmann::json& wrong : {nlohmann::json{{"query.lora_E", {true}}}, {{query, {false, false}}}, {{query, {1, 2}}}}) {
    try {
      attach(delta_method("adalora"), small_bert(), {{"rank_pattern", wrong}});
      FAIL() << wrong << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      EXPECT_NE(std::string(error.what()).find("rank_pattern"), std::string::npos) << error.what();
    }
  }
}

/// The tensors of adalora_schedule.safetensors, in a model of that shape and a step of one block.
class Scheduled : public ::testing::Test {
 protected:
  Scheduled() {
    const DeltaMethod& method = delta_method("adalora");
    delta = method.attach(*golden_model("bert").family, method.options().resolve({{"init_r", 4}}, "test"));
    family = adapt(golden_model("bert").family, {delta});
    for (const DeltaTensor& tensor : delta->tensors()) layout.add(tensor.name, tensor.shape);
  }

  std::unique_ptr<Regularizer> made(nlohmann::json options = nlohmann::json::object()) {
    nlohmann::json all = {{"target_r", 2}, {"tinit", 2}, {"tfinal", 3}, {"deltaT", 2}, {"beta1", 0.85}, {"beta2", 0.7}};
    all.update(options);
    const RegularizerMethod& method = regularizer_method("rank_budget");
    return method.make({*family, weights, Key::root(1), 12}, method.options().resolve(all, "test"));
  }

  at::Tensor flat(int64_t step, const std::string& kind) const {
    std::vector<at::Tensor> parts;
    for (const Slice& slice : layout.slices())
      parts.push_back(as_tensor(*file.find(fmt::format("{}.{}.{}", step, kind, slice.name))).flatten());
    return at::cat(parts);
  }

  Step step_of(int64_t number) {
    Step step{number, 12, 0, Key::root(1), *family, weights, {}, 1, false};
    step.blocks.push_back({"delta", &layout, flat(number + 1, "value"), flat(number + 1, "grad"), {}, 0.1, {{0, layout.total()}}});
    return step;
  }

  SafetensorsFile file = SafetensorsFile::open(goldens() / "deltas/adalora_schedule.safetensors");
  std::shared_ptr<const Delta> delta;
  std::shared_ptr<const Family> family;
  Layout layout;
  Weights weights;
};

/// Values are set anew in every step, so that a step shows its own mask alone. Given back from its state behind every step.
TEST_F(Scheduled, MasksWhatPeftMasks_AlsoWhenRestored) {
  auto budget = made();
  int64_t masked = 0;
  for (int64_t number = 0; number < 12; ++number) {
    Step step = step_of(number);
    budget->after_update(step);
    for (const Slice& slice : layout.slices()) {
      if (!slice.name.ends_with(".lora_E")) continue;
      const TensorInfo* kept = file.find(fmt::format("{}.kept.{}", number + 1, slice.name));
      const at::Tensor expected = kept ? as_tensor(*kept).flatten() != 0 : at::ones({slice.size}, at::kBool);
      masked += slice.size - expected.sum().item<int64_t>();
      EXPECT_TRUE(at::equal(step.blocks[0].value.narrow(0, slice.offset, slice.size) != 0, expected)) << number + 1 << ' ' << slice.name;
    }
    const PluginState state = budget->state();
    budget = made();
    budget->restore(state);
  }
  EXPECT_GT(masked, 0);
  EXPECT_EQ(budget->report().at("kept"), 2 * 6);
}

TEST_F(Scheduled, LowersRanks_WhereTheFirstStepIsTheLastOfTheFall) {
  const auto budget = made({{"tinit", 0}, {"tfinal", 11}});
  Step step = step_of(0);
  budget->after_update(step);
  EXPECT_EQ(budget->report().at("kept"), 2 * 6);
}

TEST_F(Scheduled, LowersRanksByValuesAlone_WhereVectorsAreFrozen) {
  Layout values;
  for (const Slice& slice : layout.slices())
    if (slice.name.ends_with(".lora_E")) values.add(slice.name, slice.shape);
  layout = values;
  const auto budget = made();
  for (int64_t number = 0; number < 12; ++number) {
    Step step = step_of(number);
    budget->after_update(step);
  }
  EXPECT_EQ(budget->report().at("kept"), 2 * 6);
}

TEST_F(Scheduled, PenalisesWhatIsNotOrthogonal_AsPeftDoes) {
  for (const DeltaTensor& tensor : delta->tensors()) weights.set(tensor.name, as_tensor(*file.find("first." + tensor.name)).clone());
  const double expected = as_tensor(*file.find("penalty")).item<double>();
  Step step{0, 12, 0, Key::root(1), *family, weights, {}, 1, false};
  EXPECT_NEAR(made({{"orth_reg_weight", 0.3}})->step_loss(step).item<double>(), 0.3 * expected, 1e-5);
  EXPECT_FALSE(made({{"orth_reg_weight", 0}})->step_loss(step).defined());
}

TEST_F(Scheduled, HasAllTriplets_BeforeTheFirstChoice) {
  const auto budget = made();
  EXPECT_EQ(budget->report().at("kept"), 4 * 6);
  EXPECT_EQ(budget->report().at("ranks").size(), 6U);
}

TEST_F(Scheduled, IsRefusedWithinASubspace) {
  const auto budget = made();
  Step step = step_of(0);
  step.blocks.front().composed = true;
  try {
    budget->step_loss(step);
    FAIL() << "nothing was refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("moves within a subspace"), std::string::npos) << error.what();
  }
}

TEST_F(Scheduled, RefusesAScheduleWithoutATimeToLowerRanks_AndAModelWithoutTriplets) {
  const auto refusal = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      return std::string(error.what());
    }
    return std::string("nothing was refused");
  };
  EXPECT_NE(refusal([&] { made({{"tinit", 9}}); }).find("leave none of 12 steps"), std::string::npos);
  family = golden_model("bert").family;
  EXPECT_NE(refusal([&] { made(); }).find("expected the delta adalora"), std::string::npos);
}

}  // namespace
}  // namespace tsrun::adalora
