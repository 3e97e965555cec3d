#include "train/layer_work.h"

#include "unit/train/plugged_training.h"

#include <numeric>

namespace tsrun::training {
namespace {

using LayerWorkTest = PluggedTraining;

/// Of a model whose parameters require a gradient where `trained` says so.
LayerWork work_under(const Model& model, const std::function<bool(const ParameterInfo&)>& trained, int cached = 0) {
  Weights weights = model.weights;
  for (const ParameterInfo& info : model.family->parameters())
    weights.set(info.name, model.weights.at(info.name).detach().clone().requires_grad_(trained(info)));
  return layer_work(*model.family, weights, cached);
}

TEST_F(LayerWorkTest, IsThatOfATrainingOfEverything) {
  const LayerWork work = work_under(model, [](const ParameterInfo&) { return true; });
  EXPECT_DOUBLE_EQ(work.forward, 1);
  EXPECT_DOUBLE_EQ(work.backward, 1);
}

/// Two layers: nF + 2 (n - k) F of 3 n F with a frozen prefix.
TEST_F(LayerWorkTest, EndsAtTheLowestTrainedLayer) {
  const LayerWork last = work_under(model, [](const ParameterInfo& info) { return info.layer == 1 || info.part == Part::head; });
  EXPECT_DOUBLE_EQ(last.backward, 0.5);
  EXPECT_DOUBLE_EQ(work_under(model, [](const ParameterInfo& info) { return info.part == Part::head; }).backward, 0);
}

TEST_F(LayerWorkTest, PassesThroughFrozenLayersAboveTrainedOnes) {
  const LayerWork first = work_under(model, [](const ParameterInfo& info) { return info.layer == 0; });
  EXPECT_DOUBLE_EQ(first.backward, 0.75);
  const LayerWork embeddings = work_under(model, [](const ParameterInfo& info) { return info.part == Part::embeddings; });
  EXPECT_DOUBLE_EQ(embeddings.backward, 0.5);
  const LayerWork bias = work_under(model, [](const ParameterInfo& info) { return info.layer == 0 && info.kind == ParameterKind::bias; });
  EXPECT_DOUBLE_EQ(bias.backward, 0.5);
}

TEST_F(LayerWorkTest, SkipsCachedLayers) {
  EXPECT_DOUBLE_EQ(work_under(
                       model, [](const ParameterInfo& info) { return info.layer == 1; }, 1)
                       .forward,
                   0.5);
}

TEST_F(LayerWorkTest, IsPartOfTheResult_AsAMeanOverTheSteps) {
  TrainJob run = job("a");
  run.tune.scope.frozen_layers = 1;
  const TrainResult plain = train(std::move(run));
  EXPECT_DOUBLE_EQ(plain.report.backward_share, 0.5);
  EXPECT_DOUBLE_EQ(plain.report.forward_share, 1);
  TrainJob cached = job("b", {{"epochs", 2}, {"batch_size", 32}});
  cached.tune.scope.frozen_layers = 1;
  cached.tune.scope.cache_prefix = true;
  const TrainResult result = train(std::move(cached));
  EXPECT_DOUBLE_EQ(result.report.forward_share, 0.75);  // the lower of two layers in one epoch of two
  const double share = result.report.trainable_share;
  EXPECT_GT(share, 0);
  EXPECT_LT(share, 1);
  EXPECT_GT(result.step_seconds, 0);
}

/// Runs every batch twice.
class Twice final : public Regularizer {
 public:
  at::Tensor batch_loss(Step& step, ForwardPass& pass) override { return pass.loss_of(pass.again(step.key, {})); }
};

/// Probes 16 rows a step: once with a gradient, once up to the first of two layers.
class Probing final : public Regularizer {
 public:
  explicit Probing(Probe& probe) : probe_(probe) {}
  void after_update(Step& step) override {
    std::vector<int64_t> rows(16);
    std::iota(rows.begin(), rows.end(), 0);
    probe_.loss_and_gradient(step.weights, rows);
    probe_.hidden(step.weights, rows, 1);
  }

 private:
  Probe& probe_;
};

TEST_F(LayerWorkTest, CountsWhatPluginsRunAgain_AndProbe) {
  const auto under = [&](const std::string& name, const auto& make) {
    TrainJob run = job(name, {{"max_steps", 2}, {"batch_size", 32}});
    run.plugins.push_back(regularizer(name, make));
    return train(std::move(run)).report;
  };
  const TrainReport twice = under("twice", [](const MethodInputs&) { return std::make_unique<Twice>(); });
  EXPECT_EQ(twice.forward_passes, 4);
  EXPECT_EQ(twice.backward_passes, 4);
  EXPECT_DOUBLE_EQ(twice.forward_share, 2);
  EXPECT_DOUBLE_EQ(twice.backward_share, 2);
  const TrainReport probing = under("probing", [](const MethodInputs& inputs) { return std::make_unique<Probing>(*inputs.probe); });
  EXPECT_DOUBLE_EQ(probing.forward_share, 1.75);
  EXPECT_DOUBLE_EQ(probing.backward_share, 1.5);
}

}  // namespace
}  // namespace tsrun::training
