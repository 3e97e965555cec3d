#include "support/errors.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/random.h"
#include "unit/train/plugged_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

namespace tsrun {
namespace {

using testing::message_of;

constexpr int64_t kDim = 3;

/// A dense map per group, kept as float64 so that the reference can use the very numbers.
class DenseSubspace final : public Subspace {
 public:
  explicit DenseSubspace(ParameterSet set) : set_(std::move(set)), dims_(set_.groups.size(), kDim) {
    for (size_t g = 0; g < set_.groups.size(); ++g) {
      at::Tensor columns = at::empty({set_.groups[g].size(), kDim});
      fill_normal(Key::root(11).split(g), {columns.mutable_data_ptr<float>(), static_cast<size_t>(columns.numel())}, 0, 0, 0.05F);
      maps_.push_back(columns.to(at::kDouble));
    }
  }
  const ParameterSet& parameters() const override { return set_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override { out.add_(apply(z).to(at::kFloat)); }
  at::Tensor project(const at::Tensor& /*z*/, const at::Tensor& g) const override { return transposed(g).to(at::kFloat); }
  bool claims_orthonormal() const override { return false; }
  nlohmann::json describe() const override { return {{"dims", dims_}}; }
  void save(const std::filesystem::path& /*folder*/) const override {}
  int64_t bytes_shipped() const override { return 0; }

  at::Tensor apply(const at::Tensor& z) const {
    std::vector<at::Tensor> parts;
    for (size_t g = 0; g < maps_.size(); ++g)
      parts.push_back(maps_[g].mv(z.to(at::kDouble).narrow(0, static_cast<int64_t>(g) * kDim, kDim)));
    return at::cat(parts);
  }
  at::Tensor transposed(const at::Tensor& gradient) const {
    std::vector<at::Tensor> parts;
    for (size_t g = 0; g < maps_.size(); ++g) {
      parts.push_back(maps_[g].t().mv(gradient.to(at::kDouble).narrow(0, set_.groups[g].begin, set_.groups[g].size())));
    }
    return at::cat(parts);
  }

 private:
  ParameterSet set_;
  std::vector<int64_t> dims_;
  std::vector<at::Tensor> maps_;
};

class CoordinateRecorder final : public Observer {
 public:
  explicit CoordinateRecorder(std::vector<at::Tensor>& into) : into_(into) {}
  void step_ended(const Binding& binding, const StepDone&) override { into_.push_back(binding.coordinates().clone()); }

 private:
  std::vector<at::Tensor>& into_;
};

/// θ = θ0 + V z with V whole and in float64, autograd through plain leaves, Adam written out.
class Reference {
 public:
  Reference(const Model& model, const DenseSubspace& subspace, const TrainJob& job)
      : model_(model),
        subspace_(subspace),
        rows_(encode_split(*job.task, job.task->split("train"), *model.tokenizer, {.max_length = 32})),
        key_(job.key) {
    sampler_.emplace(key_.split("data order"), rows_.size(), job.options.integer("batch_size"));
  }

  at::Tensor step(int64_t index, double lr) {
    const at::Tensor g = gradient(index);
    const auto t = static_cast<double>(index + 1);
    m_ = 0.9 * m_ + 0.1 * g;
    v_ = 0.999 * v_ + 0.001 * g * g;
    z_ = z_ - lr * (m_ / (1 - std::pow(0.9, t))) / ((v_ / (1 - std::pow(0.999, t))).sqrt() + 1e-8);
    return z_;
  }

 private:
  at::Tensor gradient(int64_t index) {
    const Layout& layout = subspace_.parameters().layout;
    const at::Tensor theta = (flatten(model_.weights, layout).to(at::kDouble) + subspace_.apply(z_)).to(at::kFloat);
    Weights weights = model_.weights;
    std::vector<at::Tensor> leaves;
    for (const auto& slice : layout.slices()) {
      leaves.push_back(theta.narrow(0, slice.offset, slice.size).reshape(slice.shape).clone().requires_grad_(true));
      weights.set(slice.name, leaves.back());
    }
    const int64_t per_epoch = sampler_->batches_per_epoch();
    const auto batch = to_device(pack_batch(rows_, sampler_->batch(index / per_epoch, index % per_epoch)), model_.family->head(), at::kCPU);
    ForwardOptions forward;
    forward.training = true;
    forward.dropout = key_.split("step").split(static_cast<uint64_t>(index)).split("dropout").split(uint64_t{0});
    task_loss(model_.family->head(), model_.family->forward(weights, batch, forward), batch).backward();
    std::vector<at::Tensor> flat;
    for (const auto& leaf : leaves) flat.push_back(leaf.grad().flatten());
    return subspace_.transposed(at::cat(flat));
  }

  const Model& model_;
  const DenseSubspace& subspace_;
  EncodedSplit rows_;
  Key key_;
  std::optional<Sampler> sampler_;
  at::Tensor z_ = at::zeros({2 * kDim}, at::kDouble), m_ = at::zeros({2 * kDim}, at::kDouble), v_ = at::zeros({2 * kDim}, at::kDouble);
};

TEST(SubspaceTraining, EqualsABruteForceFloat64Reference_StepByStep) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  const auto subspace = std::make_shared<DenseSubspace>(select_parameters(*model.family, {}));
  auto job = toy::job(model, task, {{"epochs", 2}, {"batch_size", 16}, {"max_grad_norm", 0.0}, {"lr_scheduler_type", "constant"}},
                      scratch.path() / "work");
  job.tune.subspace = subspace;
  job.tune.scope = scope_of_parts(*model.family, {Part::encoder});
  job.tune.lr_subspace = 0.01;
  std::vector<at::Tensor> seen;
  job.observers.push_back(std::make_unique<CoordinateRecorder>(seen));
  Reference reference(model, *subspace, job);
  train(std::move(job));
  ASSERT_EQ(seen.size(), 12U);
  for (size_t i = 0; i < seen.size(); ++i) {
    const at::Tensor expected = reference.step(static_cast<int64_t>(i), 0.01);
    EXPECT_LT((seen[i].to(at::kDouble) - expected).abs().max().item<double>(), 2e-5) << "step " << i;
  }
  EXPECT_GT(seen.back().abs().max().item<double>(), 0.01);
}

TEST(SubspaceTraining, LearnsToySentiment_InAFewDimensions) {
  const toy::Scratch scratch;
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  auto job = toy::job(model, task, {{"epochs", 12}, {"batch_size", 8}}, scratch.path() / "work");
  job.tune.subspace = std::make_shared<DenseSubspace>(select_parameters(*model.family, {}));
  const TrainResult result = train(std::move(job));
  EXPECT_GE(result.last.metrics.at("accuracy"), 0.9);
  EXPECT_EQ(result.coordinates.numel(), 2 * kDim);
}

/// Six batches an epoch, two of them a step but for the last, in 2 epochs: 6 steps, of which 2 warm up.
const nlohmann::json kReachOptions = {
    {"epochs", 2}, {"batch_size", 18}, {"gradient_accumulation_steps", 2}, {"warmup_ratio", 0.3}, {"max_grad_norm", 0.0}};

class Reaching : public ::testing::Test {
 protected:
  TrainJob job(const std::string& folder, nlohmann::json options = kReachOptions) {
    auto made = toy::job(model, task, options, scratch.path() / folder);
    made.tune.subspace = std::make_shared<DenseSubspace>(select_parameters(*model.family, {}));
    made.tune.scope = scope_of_parts(*model.family, {Part::encoder});
    made.distances = {0.5, 0.02};
    made.reach = 1.0;
    return made;
  }
  const toy::Scratch scratch;
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
};

TEST_F(Reaching, ChoosesRatesThatTravelTheDistance_UnderTheStepsThatReallyRun) {
  std::vector<at::Tensor> seen;
  TrainJob run = job("a");
  run.observers.push_back(std::make_unique<CoordinateRecorder>(seen));
  const TrainResult result = train(std::move(run));
  EXPECT_EQ(result.report.steps, 6);
  ASSERT_TRUE(result.report.reach);
  EXPECT_NEAR(result.report.reach->share(), 1, 1e-9);
  EXPECT_TRUE(result.report.reach->warnings().empty());
  const double worth = 0 + 1 / 2.0 + 4 / 4.0 + 3 / 4.0 + 2 / 4.0 + 1 / 4.0;  // linear, behind the warm-up
  const auto rates = result.report.binding.at("subspace").at("lr").get<std::vector<double>>();
  EXPECT_NEAR(rates[0], 0.5 / worth, 1e-9);
  EXPECT_NEAR(rates[1], 0.02 / worth, 1e-9);
  const at::Tensor way = at::stack(seen).abs().amax(0).view({2, kDim}).amax(1);
  EXPECT_GT(way[0].item<double>(), 0.1);
  EXPECT_LT(way[0].item<double>(), 0.55);
  EXPECT_GT(way[1].item<double>(), 0.004);
  EXPECT_LT(way[1].item<double>(), 0.022);
}

TEST_F(Reaching, CountsTheStepsWithinTheBudgetOfPasses) {
  nlohmann::json options = kReachOptions;
  options["max_forward_passes"] = 13;
  const TrainResult result = train(job("short", options));
  EXPECT_EQ(result.report.steps, 3);  // of six passes each
  const auto rates = result.report.binding.at("subspace").at("lr").get<std::vector<double>>();
  EXPECT_NEAR(rates[0], 0.5 / (0 + 1 / 2.0 + 4 / 4.0), 1e-9);
  EXPECT_NEAR(result.report.reach->share(), 1, 1e-9);
}

TEST_F(Reaching, EndsWithTheSameBits_AfterAnInterrupt) {
  watch_interrupts();
  const auto make = [&](const std::string& folder, int64_t stop) {
    TrainJob run = job(folder);
    run.plugins.push_back(regularizer("interrupting", [stop](const MethodInputs&) { return std::make_unique<Interrupting>(stop); }));
    return run;
  };
  const TrainResult whole = train(make("whole", -1));
  message_of(ErrorKind::interrupt, [&] { train(make("stopped", 3)); });
  clear_interrupt();
  const TrainResult end = train(make("stopped", -1));
  EXPECT_TRUE(at::equal(end.coordinates, whole.coordinates));
  EXPECT_EQ(end.report.reach->ways, whole.report.reach->ways);
}

TEST_F(Reaching, WarnsOfGroupsThatANumberDoesNotReach) {
  TrainJob run = job("a");
  run.reach.reset();
  run.tune.lr_subspace = 0.01;  // worth 3 steps
  const TrainResult result = train(std::move(run));
  EXPECT_NEAR(result.report.reach->share(), 0.03 / 0.5, 1e-9);
  ASSERT_EQ(result.report.reach->warnings().size(), 1U);
  EXPECT_THAT(result.report.reach->warnings()[0], ::testing::AllOf(::testing::HasSubstr("0.03 at most"), ::testing::HasSubstr("0.5 away")));
  EXPECT_NEAR(result.report.to_json().at("reach_share").get<double>(), 0.06, 1e-9);
}

TEST_F(Reaching, RefusesOptimisersWhoseStepsTheRateDoesNotBound_AndAnUpdateOfNoLength) {
  auto options = kReachOptions;
  options["optim"] = "sgd";
  EXPECT_THAT(message_of(ErrorKind::user, [&] { train(job("sgd", options)); }), ::testing::HasSubstr("counts on AdamW"));
  TrainJob still = job("still");
  still.distances = {0, 0};
  EXPECT_THAT(message_of(ErrorKind::user, [&] { train(std::move(still)); }), ::testing::HasSubstr("has no length"));
}

}  // namespace
}  // namespace tsrun
