#include "tsrun/plugin_testing/joint.h"

#include "projection.h"
#include "step.h"

#include "tsrun/train/diverged.h"
#include "tsrun/tune/joint_method.h"

#include <gtest/gtest.h>

#include <set>

// The numbers of one step: gradients, mixtures.
namespace tsrun::joint_decomposition {
namespace {

using plugin_testing::add_joint_case;
using plugin_testing::made_up_members;
using plugin_testing::QuadraticTasks;

const bool cases = add_joint_case("joint_decomposition", {{"fit", "random"}, {"dim", 5}}) &&
                   add_joint_case("joint_decomposition", {{"fit", "random"}, {"dim", 6}, {"decoder", "tanh"}, {"column_length", 0.5}}) &&
                   add_joint_case("joint_decomposition", {{"fit", "pca"}, {"dim", 3}}) &&
                   add_joint_case("joint_decomposition", {{"dim", 3}, {"steps", 9}, {"eval_every", 4}}) &&
                   add_joint_case("joint_decomposition", {{"dim", 2}, {"steps", 5}, {"decoder", "tanh"}});

Settings settings_for(const nlohmann::json& options) { return settings_of(option_table().resolve(options, "test")); }

at::Tensor as_tensor_of(const SmallMatrix& matrix) { return at::tensor(matrix.values, at::kDouble).view({matrix.rows, matrix.columns}); }

const std::vector<int64_t> three = {9, 13, 16};

/// Members of unequal length, two tasks of unequal weight, two solutions a task.
struct OneStep {
  OneStep(const std::vector<int64_t>& lengths, const nlohmann::json& options)
      : members(made_up_members(lengths, 2, 2)),
        tasks(members,
              [](int64_t) {
                return std::vector<JointTasks::Rows>{{1, {0, 1, 2}}, {0, {3}}};
              }),
        inputs{members, &tasks, Key::root(3), {}, ""},
        settings(settings_for(options)),
        network(members, settings, Key::root(4)),
        stepper(inputs, settings, network) {
    for (auto& [name, tensor] : network.state())  // far from 0, so that tanh bends
      if (name.ends_with(".values") || (name.ends_with(".small") && !name.starts_with("small."))) tensor.mul_(15);
  }
  double total() { return stepper.forward(0).total(settings); }
  /// Largest difference between `gradient` and central differences of the loss in `values`, in units of the largest gradient.
  double error_of(at::Tensor values, const at::Tensor& gradient) {
    constexpr float epsilon = 4e-3F;
    auto* numbers = values.mutable_data_ptr<float>();
    double worst = 0;
    for (int64_t i = 0; i < values.numel(); ++i) {
      const float kept = numbers[i];
      numbers[i] = kept + epsilon;
      const double up = total(), high = numbers[i];
      numbers[i] = kept - epsilon;
      const double down = total(), low = numbers[i];
      numbers[i] = kept;
      worst = std::max(worst, std::abs((up - down) / (high - low) - gradient.view({-1})[i].item<double>()));
    }
    return worst / gradient.abs().max().item<double>();
  }
  std::vector<JointMember> members;
  QuadraticTasks tasks;
  JointInputs inputs;
  Settings settings;
  Network network;
  Stepper stepper;
};

at::Tensor written_out(const OuterProducts& products, int64_t length) {
  at::Tensor sum = at::zeros({products.narrow.columns, length}, at::kDouble);
  const at::Tensor narrow = as_tensor_of(products.narrow);
  for (size_t k = 0; k < products.wide.size(); ++k) {
    const at::Tensor wide = at::from_blob(const_cast<float*>(products.wide[k]), {length}, at::kFloat).to(at::kDouble);
    sum += at::outer(narrow[static_cast<int64_t>(k)], wide);
  }
  return sum;
}

void expect_right_gradients(const nlohmann::json& options) {
  OneStep one(three, options);
  one.total();
  const StepGradients gradients = one.stepper.gradients();
  std::vector<at::Tensor> decoders, encoders, small;
  for (size_t m = 0; m < one.members.size(); ++m) {
    decoders.push_back(written_out(gradients.decoders[m], one.network.decoder(m).length()));
    encoders.push_back(written_out(gradients.encoders[m], one.network.encoder(m).length()));
    small.push_back(one.network.small()[m].gradient.clone());
  }
  for (size_t m = 0; m < one.members.size(); ++m) {
    EXPECT_LT(one.error_of(one.network.decoder(m).values(), decoders[m]), 3e-3) << options << " decoder " << m;
    EXPECT_LT(one.error_of(one.network.encoder(m).values(), encoders[m]), 3e-3) << options << " encoder " << m;
    EXPECT_LT(one.error_of(one.network.small()[m].value, small[m]), 3e-3) << options << " small " << m;
  }
}

TEST(JointStep, GradientsEqualFiniteDifferences) {
  expect_right_gradients({{"dim", 3}, {"gamma", 0.7}});
  expect_right_gradients({{"dim", 3}, {"gamma", 0.7}, {"mixing", "dirichlet"}, {"distance_weight", 0.3}});
  expect_right_gradients({{"dim", 2}, {"gamma", 0.7}, {"mixing", "none"}, {"draw", "example"}});
  expect_right_gradients({{"dim", 3}, {"gamma", 0.7}, {"crossed_encoder", true}});
  expect_right_gradients({{"dim", 3}, {"gamma", 0.7}, {"decoder", "tanh"}});
}

TEST(JointStep, ReconstructsTheOwnCode_NotTheMixture) {
  OneStep release(three, {{"dim", 3}}), dirichlet(three, {{"dim", 3}, {"mixing", "dirichlet"}});
  const StepLosses a = release.stepper.forward(0), b = dirichlet.stepper.forward(0);
  EXPECT_EQ(a.reconstruction, b.reconstruction);
  for (size_t m = 0; m < 3; ++m) EXPECT_NE(a.task[m], b.task[m]);
  // Length of δ − U I of the own code, tasks weighted by their examples.
  const StepPlan plan = plan_step(release.inputs, release.settings, 0);
  for (size_t m = 0; m < 3; ++m) {
    const at::Tensor codes = as_tensor_of(release.network.encode(m, plan.deltas[m]).codes);
    double expected = 0;
    for (size_t t = 0; t < plan.tasks.size(); ++t) {
      const at::Tensor delta = at::from_blob(const_cast<float*>(plan.deltas[m][t]), {release.network.decoder(m).length()}, at::kFloat);
      const at::Tensor decoded = codes[static_cast<int64_t>(t)].matmul(release.network.decoder(m).values().to(at::kDouble));
      expected += plan.shares[t] * (delta.to(at::kDouble) - decoded).norm().item<double>();
    }
    EXPECT_NEAR(a.reconstruction[m], expected, 1e-5 * expected);
  }
}

TEST(JointStep, EqualCodesMakeTheMixtureIndependentOfItsWeights) {
  OneStep release(three, {{"dim", 3}}), dirichlet(three, {{"dim", 3}, {"mixing", "dirichlet"}});
  for (OneStep* one : {&release, &dirichlet}) {
    for (ParameterGroup& group : one->network.small()) {
      const Slice* weight = group.layout.find("output weight");
      const Slice* bias = group.layout.find("output bias");
      group.value.narrow(0, weight->offset, weight->size).zero_();
      group.value.narrow(0, bias->offset, bias->size).fill_(0.5);
    }
  }
  const StepLosses a = release.stepper.forward(0), b = dirichlet.stepper.forward(0);
  for (size_t m = 0; m < 3; ++m) EXPECT_NEAR(a.task[m], b.task[m], 1e-6 * a.task[m]);
  EXPECT_EQ(a.distance, 0);
}

TEST(JointStep, ChangesNothingBeforeTheUpdate_AndEverythingInIt) {
  OneStep one(three, {{"dim", 3}});
  std::map<std::string, at::Tensor> before;
  for (const auto& [name, tensor] : one.network.state()) before[name] = tensor.clone();
  one.total();
  for (const auto& [name, tensor] : one.network.state()) EXPECT_TRUE(at::equal(tensor, before[name])) << name;
  one.stepper.update();
  for (const auto& [name, tensor] : one.network.state()) EXPECT_FALSE(at::equal(tensor, before[name])) << name;
}

TEST(JointStep, HasZeroGradient_WhereTheReconstructionIsExact) {
  OneStep one({12}, {{"dim", 3}, {"gamma", 1.0}});
  for (auto& solutions : one.members[0].deltas)
    for (at::Tensor& delta : solutions) delta.zero_();
  for (auto& [name, tensor] : one.network.state())
    if (name.ends_with(".values") || name.ends_with(".small")) tensor.zero_();
  one.inputs.members = one.members;
  EXPECT_EQ(one.stepper.forward(0).reconstruction[0], 0);
  for (const OuterProducts& decoder : one.stepper.gradients().decoders) EXPECT_TRUE(written_out(decoder, 12).isfinite().all().item<bool>());
}

TEST(JointStep, DivergesWhereNumbersAreNotFinite) {
  OneStep decoded(three, {{"dim", 3}}), reconstructed(three, {{"dim", 3}});
  decoded.network.decoder(1).values().fill_(INFINITY);
  EXPECT_THROW(decoded.stepper.forward(0), Diverged);
  for (auto& solutions : reconstructed.members[0].deltas)
    for (at::Tensor& delta : solutions) delta.fill_(INFINITY);
  reconstructed.inputs.members = reconstructed.members;
  EXPECT_THROW(reconstructed.stepper.forward(0), Diverged);
}

TEST(JointPlan, DrawsOneMixtureAGroup_OrOneAnExample) {
  OneStep group(three, {{"dim", 2}}), example(three, {{"dim", 2}, {"draw", "example"}}), none(three, {{"dim", 2}, {"mixing", "none"}});
  EXPECT_EQ(plan_step(group.inputs, group.settings, 0).groups.size(), 2u);
  const StepPlan plan = plan_step(example.inputs, example.settings, 0);
  ASSERT_EQ(plan.groups.size(), 4u);
  EXPECT_NE(plan.groups[0].mixture, plan.groups[1].mixture);
  EXPECT_EQ(plan.tasks, (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(plan.shares, (std::vector<double>{0.75, 0.25}));
  EXPECT_TRUE(plan_step(none.inputs, none.settings, 0).groups[0].mixture.empty());
}

TEST(JointPlan, IsAFunctionOfKeyAndStep) {
  OneStep one(three, {{"dim", 2}});
  const auto mixture = [&](int64_t step) { return plan_step(one.inputs, one.settings, step).groups[0].mixture; };
  EXPECT_EQ(mixture(4), mixture(4));
  EXPECT_NE(mixture(4), mixture(5));
  std::set<const float*> drawn;
  for (int64_t step = 0; step < 20; ++step) drawn.insert(plan_step(one.inputs, one.settings, step).deltas[0][0]);
  EXPECT_EQ(drawn.size(), 2u);  // both solutions of the task come up
}

std::vector<double> mean_mixture(Mixing distribution, size_t members) {
  constexpr uint64_t draws = 20000;
  std::vector<double> sum(members, 0.0);
  for (uint64_t i = 0; i < draws; ++i) {
    const auto weights = draw_mixture(distribution, members, Key::root(1).split(i));
    double total = 0;
    for (size_t m = 0; m < members; ++m) {
      EXPECT_GE(weights[m], 0);
      total += weights[m];
      sum[m] += weights[m] / static_cast<double>(draws);
    }
    EXPECT_NEAR(total, 1, 1e-12);
  }
  return sum;
}

TEST(JointMixing, ReleaseHasMeansOneHalfAndTwoQuarters) {
  const auto mean = mean_mixture(Mixing::release, 3);
  EXPECT_NEAR(mean[0], 0.5, 0.01);
  EXPECT_NEAR(mean[1], 0.25, 0.01);
  EXPECT_NEAR(mean[2], 0.25, 0.01);
  const auto four = mean_mixture(Mixing::release, 4);
  EXPECT_NEAR(four[1], 0.25, 0.01);
  EXPECT_NEAR(four[3], 0.125, 0.01);
  EXPECT_EQ(draw_mixture(Mixing::release, 1, Key::root(1)), std::vector<double>{1.0});
}

TEST(JointMixing, DirichletIsUniform) {
  for (const double mean : mean_mixture(Mixing::dirichlet, 3)) EXPECT_NEAR(mean, 1.0 / 3, 0.01);
}

}  // namespace
}  // namespace tsrun::joint_decomposition
