// Parameters whose update is a plugin's own (Wants::updated).
#include "unit/train/plugged_training.h"

#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include <map>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using OwnedParametersTest = PluggedTraining;

const std::string query = "bert.encoder.layer.0.attention.self.query.weight", value = "bert.encoder.layer.1.attention.self.value.weight";

Wants owning(std::vector<std::string> names) {
  return {.whole_vocabulary = false, .updated = [names](const Family&) { return names; }};
}

/// SGD with decoupled decay for what it owns; notes what it was given in the last step.
class OwnSgd final : public Regularizer {
 public:
  explicit OwnSgd(std::map<std::string, OwnedParameter>* seen = nullptr) : seen_(seen) {}
  void update(Step&, const std::vector<OwnedParameter>& parameters) override {
    const at::NoGradGuard no_grad;
    if (seen_) seen_->clear();
    for (const OwnedParameter& one : parameters) {
      one.value.mul_(1 - one.rate * one.decay).sub_(one.gradient, one.rate);
      if (seen_) seen_->emplace(one.name, one);
    }
  }

 private:
  std::map<std::string, OwnedParameter>* seen_;
};

auto own_sgd(std::map<std::string, OwnedParameter>* seen = nullptr) {
  return [seen](const MethodInputs&) { return std::make_unique<OwnSgd>(seen); };
}

std::string refusal_of(TrainJob job) {
  try {
    train(std::move(job));
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user) << error.what();
    return error.what();
  }
  return "nothing was refused";
}

int64_t numbers_of(const Model& model, const std::string& name) { return model.weights.at(name).numel(); }

TEST_F(OwnedParametersTest, MoveAsTheOptimiserWouldMoveThem) {
  const nlohmann::json options = {{"max_steps", 4}, {"batch_size", 16}, {"optim", "sgd"}, {"momentum", 0.0}, {"warmup_ratio", 0.5}};
  const TrainResult plain = train(job("plain", options));
  TrainJob run = job("owned", options);
  run.plugins.push_back(regularizer("own", own_sgd(), owning({query, value})));
  const TrainResult owned = train(std::move(run));
  for (const std::string& name : plain.last_weights.names())
    EXPECT_TRUE(at::allclose(plain.last_weights.at(name), owned.last_weights.at(name), 1e-5, 1e-7)) << name;
  EXPECT_FALSE(at::equal(owned.last_weights.at(query), model.weights.at(query)));
}

TEST_F(OwnedParametersTest, CostTheOptimiserNothing) {
  for (const auto& [optim, numbers] : std::map<std::string, int64_t>{{"adamw", 2}, {"sgd", 1}}) {
    const nlohmann::json options = {{"max_steps", 1}, {"batch_size", 8}, {"optim", optim}, {"momentum", optim == "sgd" ? 0.9 : 0.0}};
    TrainJob run = job(optim, options);
    run.plugins.push_back(regularizer("own", own_sgd(), owning({query, value})));
    const int64_t with = train(std::move(run)).report.optimizer_bytes,
                  without = train(job(optim + "_plain", options)).report.optimizer_bytes;
    EXPECT_EQ(without - with, 4 * numbers * (numbers_of(model, query) + numbers_of(model, value))) << optim;
  }
}

TEST_F(OwnedParametersTest, HaveTheRatesOfScheduleScopeAndPlugins) {
  class Halving final : public Regularizer {
    void before_update(Step& step) override { step.rate_factor = 0.5; }
  };
  std::map<std::string, OwnedParameter> seen;
  TrainJob run = job("a", {{"max_steps", 2}, {"batch_size", 8}, {"lr_scheduler_type", "linear"}});
  run.tune.weight_decay = 0.3;
  run.tune.scope.parameters[query].rate = 0.1;
  run.plugins.push_back(regularizer("own", own_sgd(&seen), owning({query, value})));
  run.plugins.push_back(regularizer("halving", [](const MethodInputs&) { return std::make_unique<Halving>(); }));
  const double lr = run.tune.lr * 0.5 * 0.5;  // the second of two steps of a linear schedule, halved
  train(std::move(run));
  EXPECT_NEAR(seen.at(query).rate, 0.1 * lr, 1e-12);
  EXPECT_NEAR(seen.at(value).rate, lr, 1e-12);
  EXPECT_EQ(seen.at(value).decay, 0.3);
}

TEST_F(OwnedParametersTest, AreHeldByMasks_AndLeftOut_WhenFrozen) {
  std::map<std::string, OwnedParameter> seen;
  TrainJob run = job("a", {{"max_steps", 2}, {"batch_size", 8}});
  const at::Tensor mask = at::ones_like(model.weights.at(value), at::kBool);
  mask.select(0, 0).fill_(false);
  run.tune.scope.parameters[value].mask = mask;
  run.tune.scope.freeze = Freeze::update;
  run.plugins.push_back(regularizer("own", own_sgd(&seen), owning({query, value})));
  run.plugins.push_back(selector("freezing", [](const MethodInputs&) {
    class Freezing final : public Selector {
      std::optional<Scope> scope(Step& step) override {
        if (step.number != 1) return std::nullopt;
        Scope scope;
        scope.parameters[query].trained = false;
        return scope;
      }
    };
    return std::make_unique<Freezing>();
  }));
  const at::Tensor moved = train(std::move(run)).last_weights.at(value) != model.weights.at(value);
  EXPECT_FALSE(moved.select(0, 0).any().item<bool>());
  EXPECT_TRUE(moved.select(0, 1).any().item<bool>());
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen.count(value), 1U);
}

TEST_F(OwnedParametersTest, AreRefused_WhenTwoPluginsOwnOne_OrTheModelLacksIt) {
  TrainJob twice = job("a");
  twice.plugins.push_back(regularizer("one", own_sgd(), owning({query})));
  twice.plugins.push_back(regularizer("two", own_sgd(), owning({value, query})));
  EXPECT_THAT(refusal_of(std::move(twice)), HasSubstr("plugins one and two both update '" + query + "'"));
  TrainJob unknown = job("b");
  unknown.plugins.push_back(regularizer("one", own_sgd(), owning({"nothing"})));
  EXPECT_THAT(refusal_of(std::move(unknown)), HasSubstr("would update 'nothing', which the model lacks"));
}

TEST_F(OwnedParametersTest, AreRefused_WhereNoneIsTrained) {
  TrainJob run = job("a");
  run.tune.scope = scope_of_parts(*model.family, {Part::head});
  run.plugins.push_back(regularizer("own", own_sgd(), owning({query, value})));
  EXPECT_THAT(refusal_of(std::move(run)),
              AllOf(HasSubstr("the plugin own updates '" + query + "' and 1 more"), HasSubstr("trained are head")));
  TrainJob one = job("b", {{"max_steps", 1}, {"batch_size", 8}});
  one.tune.scope.parameters[query].trained = false;
  one.plugins.push_back(regularizer("own", own_sgd(), owning({query, value})));
  EXPECT_EQ(refusal_of(std::move(one)), "nothing was refused");
}

TEST_F(OwnedParametersTest, AreRefused_WhereAScopeNeedsMomentsOfElements) {
  for (const char* what : {"state", "carry", "drop", "compact"}) {
    const std::string kind = what;
    TrainJob run = job(kind);
    Scope& scope = run.tune.scope;
    scope.parameters[value].mask = at::ones_like(model.weights.at(value), at::kBool);
    scope.parameters[value].mask.select(0, 0).fill_(false);
    if (kind == "state") scope.freeze = Freeze::state;
    if (kind == "carry") scope.moments = Moments::carry;
    if (kind == "drop") scope.moments = Moments::drop;
    scope.compact = kind == "compact";
    run.plugins.push_back(regularizer("own", own_sgd(), owning({value})));
    EXPECT_THAT(refusal_of(std::move(run)), HasSubstr("plugin")) << kind;
  }
}

}  // namespace
}  // namespace tsrun
