#include "unit/train/plugged_training.h"

#include <gmock/gmock.h>

namespace tsrun {
namespace {

using ::testing::HasSubstr;

using CachedPrefix = PluggedTraining;

/// Everything above the first layer is trained.
Scope above_the_first_layer(bool cached) {
  Scope scope;
  scope.frozen_layers = 1;
  scope.cache_prefix = cached;
  return scope;
}

TEST_F(CachedPrefix, GivesTheSameNumbers) {
  model = toy::tiny_bert({HeadKind::classification, 2}, 0);  // without dropout, which is off in a cached prefix
  const auto run = [&](const std::string& folder, bool cached, int64_t memory) {
    TrainJob one = job(folder, {{"epochs", 2}, {"batch_size", 16}, {"gradient_accumulation_steps", 2}});
    one.tune.scope = above_the_first_layer(cached);
    one.cache_memory = memory;
    return train(std::move(one));
  };
  const TrainResult plain = run("plain", false, 0), cached = run("cached", true, 1 << 30), on_disk = run("disk", true, 5000);
  for (const auto& name : plain.last_weights.names()) {
    EXPECT_TRUE(at::allclose(plain.last_weights.at(name), cached.last_weights.at(name), 0, 1e-5)) << name;
    EXPECT_TRUE(at::equal(on_disk.last_weights.at(name), cached.last_weights.at(name))) << name;
  }
}

TEST_F(CachedPrefix, ResumesToTheSameBits) { resumes_under(above_the_first_layer(true)); }

/// Noise on word embeddings, as a hook of the pass.
class Noising final : public Regularizer {
 public:
  void before_forward(Step&, ForwardPass& pass) override {
    pass.options.at_linear.push_back([](const auto&, const at::Tensor& output) { return output; });
  }
};

/// A token more in front of every row.
class Prompting final : public Regularizer {
 public:
  void before_forward(Step& step, ForwardPass& pass) override { pass.options.prompt = at::zeros({1, step.family.hidden_size()}); }
};

TEST_F(CachedPrefix, SaysWhatItCannotServe) {
  TrainJob trained = job("trained"), watched = job("watched"), changed = job("changed");
  trained.tune.scope.cache_prefix = true;
  EXPECT_THAT(message_of(std::move(trained)), HasSubstr("2: scope: cache_prefix, but the first layer or something before it is trained"));
  watched.tune.scope = changed.tune.scope = above_the_first_layer(true);
  watched.plugins.push_back(regularizer("watching", [](const MethodInputs&) { return std::make_unique<Idle>(); },
                                        {.whole_vocabulary = false, .hidden_states = true}));
  EXPECT_THAT(message_of(std::move(watched)), HasSubstr("2: cache_prefix: a plugin looks at the hidden states"));
  const std::string name = "bert.encoder.layer.0.attention.self.query.weight";
  changed.plugins.push_back(regularizer("zeroing", [&](const MethodInputs&) { return std::make_unique<Zeroing>(name); }));
  EXPECT_THAT(message_of(std::move(changed)), HasSubstr("2: cache_prefix: a plugin changes '" + name + "'"));
  TrainJob hooked = job("hooked");
  hooked.tune.scope = above_the_first_layer(true);
  hooked.plugins.push_back(regularizer("noising", [](const MethodInputs&) { return std::make_unique<Noising>(); }, {}));
  EXPECT_THAT(message_of(std::move(hooked)), HasSubstr("2: cache_prefix: a plugin that changes word embeddings adds hooks"));
  TrainJob longer = job("longer");
  longer.tune.scope = above_the_first_layer(true);
  longer.plugins.push_back(
      regularizer("prompting", [](const MethodInputs&) { return std::make_unique<Prompting>(); }, {.whole_vocabulary = false}));
  EXPECT_THAT(message_of(std::move(longer)), HasSubstr("2: cache_prefix: a plugin puts vectors in front of rows"));
}

}  // namespace
}  // namespace tsrun
