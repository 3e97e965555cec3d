#include "tsrun/tune/binding.h"

#include "unit/tune/fakes.h"

namespace tsrun {
namespace {

using testing_tune::curved_loss;
using testing_tune::FakeFamily;
using testing_tune::options_with;
using testing_tune::PlainSubspace;
using testing_tune::TemporaryFolder;

TuneOptions within(std::shared_ptr<const Subspace> subspace, int64_t ensemble = 1, double deviation = 0.2) {
  return options_with([&](TuneOptions& o) {
    o.scope = scope_of_parts(FakeFamily(), {Part::encoder});
    o.subspace = std::move(subspace);
    o.ensemble = ensemble;
    o.init_deviation = deviation;
  });
}

/// One gradient of the binding path; the update is up to the caller.
void gradient_step(Binding& binding) {
  binding.compose();
  binding.zero_gradients();
  curved_loss(binding.weights()).backward();
  binding.gather_gradients();
}

/// The same in float64 with V as a matrix and autograd through it.
struct Reference {
  const FakeFamily& family;
  const PlainSubspace& subspace;
  at::Tensor z, v, origin;
  Reference(const FakeFamily& f, const PlainSubspace& s, const at::Tensor& start)
      : family(f),
        subspace(s),
        z(start.to(at::kDouble).clone()),
        v(s.dense()),
        origin(flatten(f.weights(), s.parameters().layout).to(at::kDouble)) {}
  at::Tensor gradient() const {
    const at::Tensor leaf = z.detach().requires_grad_(true);
    const Weights encoder = unflatten(origin + v.mv(leaf), subspace.parameters().layout);
    curved_loss(encoder).backward();
    return leaf.grad();
  }
};

/// Adam in float64, as the textbook has it.
struct Adam {
  at::Tensor m, v;
  int step = 0;
  void update(at::Tensor& value, const at::Tensor& gradient, double lr) {
    if (!m.defined()) m = at::zeros_like(gradient), v = at::zeros_like(gradient);
    ++step;
    m = 0.9 * m + 0.1 * gradient;
    v = 0.999 * v + 0.001 * gradient * gradient;
    value.sub_(lr * (m / (1 - std::pow(0.9, step))) / ((v / (1 - std::pow(0.999, step))).sqrt() + 1e-8));
  }
};

TEST(SubspaceStep, EqualsABruteForceReferenceInFloat64_StepByStep) {
  const FakeFamily family;
  const auto subspace = std::make_shared<PlainSubspace>(select_parameters(family, {}), 4);
  Binding binding(family, family.weights(), within(subspace), Key::root(5), at::kCPU);
  Reference reference(family, *subspace, binding.coordinates());
  Adam ours, theirs;
  for (int step = 0; step < 12; ++step) {
    gradient_step(binding);
    const at::Tensor expected = reference.gradient(), found = binding.groups()[0].gradient.to(at::kDouble);
    EXPECT_LT((found - expected).norm().item<double>(), 2e-5 * expected.norm().item<double>()) << step;
    at::Tensor z = binding.groups()[0].value.to(at::kDouble);
    ours.update(z, found, 0.05);
    binding.groups()[0].value.copy_(z);
    binding.after_update();
    theirs.update(reference.z, expected, 0.05);
    const at::Tensor theta = flatten(binding.weights(), subspace->parameters().layout).to(at::kDouble);
    EXPECT_LT((theta - reference.origin - reference.v.mv(reference.z)).abs().max().item<double>(), 1e-5) << step;
  }
}

TEST(SubspaceStep, AnEnsembleUnderSgd_IsOneVectorAtItsMean) {
  const FakeFamily family;
  const auto subspace = std::make_shared<PlainSubspace>(select_parameters(family, {}), 4);
  Binding many(family, family.weights(), within(subspace, 16), Key::root(5), at::kCPU),
      one(family, family.weights(), within(subspace), Key::root(6), at::kCPU);
  one.groups()[0].value.copy_(many.coordinates());
  EXPECT_NEAR(many.coordinates().norm().item<double>() / many.groups()[0].value.norm().item<double>(), 0.25 / 4,
              0.05);  // σ/4, over 16 times as many
  for (int step = 0; step < 10; ++step) {
    gradient_step(many);
    gradient_step(one);
    many.groups()[0].value.sub_(many.groups()[0].gradient, 16 * 0.05);  // each copy sees 1/16 of the gradient
    one.groups()[0].value.sub_(one.groups()[0].gradient, 0.05);
    many.after_update();
    one.after_update();
    EXPECT_TRUE(at::allclose(many.coordinates(), one.coordinates(), 1e-4, 1e-6)) << step;
  }
}

TEST(SubspaceStep, GradientsOfSeveralBatchesAddUp_HoweverOftenTheyAreGathered) {
  const FakeFamily family;
  const auto subspace = std::make_shared<PlainSubspace>(select_parameters(family, {}), 4);
  Binding once(family, family.weights(), within(subspace), Key::root(5), at::kCPU),
      twice(family, family.weights(), within(subspace), Key::root(5), at::kCPU);
  gradient_step(once);
  curved_loss(once.weights()).backward();
  once.gather_gradients();
  twice.zero_gradients();
  curved_loss(twice.weights()).backward();
  curved_loss(twice.weights()).backward();
  twice.gather_gradients();
  EXPECT_TRUE(at::allclose(once.groups()[0].gradient, twice.groups()[0].gradient, 1e-5, 1e-7));
}

TEST(SubspaceStep, TheSameKeyStartsAtTheSameZ_AnotherElsewhere) {
  const FakeFamily family;
  const auto subspace = std::make_shared<PlainSubspace>(select_parameters(family, {}), 4);
  const auto start = [&](uint64_t seed) {
    return Binding(family, family.weights(), within(subspace), Key::root(seed), at::kCPU).coordinates();
  };
  EXPECT_TRUE(at::equal(start(5), start(5)));
  EXPECT_FALSE(at::equal(start(5), start(6)));
  EXPECT_EQ(Binding(family, family.weights(), within(subspace, 1, 0), Key::root(5), at::kCPU).coordinates().norm().item<float>(), 0);
}

TEST(SubspaceStep, GroupsMoveAtTheirOwnRates_InEveryCopyOfTheEnsemble) {
  const FakeFamily family;
  const auto subspace = std::make_shared<PlainSubspace>(select_parameters(family, {}), 4);
  auto options = within(subspace, 2, 0);
  options.lr_groups = {0.5, 0.125};
  Binding binding(family, family.weights(), options, Key::root(5), at::kCPU);
  EXPECT_EQ(binding.lr_of_coordinates(), options.lr_groups);
  const Block z = binding.blocks(1, false).at(1);
  ASSERT_EQ(z.name, "z");
  const std::vector<Span> expected = {{0, 4, 1, 0}, {4, 8, 0.25, 0}, {8, 12, 1, 0}, {12, 16, 0.25, 0}};
  EXPECT_EQ(z.spans, expected);
  EXPECT_EQ(binding.groups()[0].spans, expected);
  EXPECT_EQ(z.rate, 0.5);
}

}  // namespace
}  // namespace tsrun
