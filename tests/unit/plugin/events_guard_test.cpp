#include "plugin/guard.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace tsrun::plugin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Throws in one call, by name.
template <class Kind>
class Throwing : public Kind {
 public:
  explicit Throwing(std::string event, bool as_user = false) : event_(std::move(event)), as_user_(as_user) {}
  void before_forward(Step&, ForwardPass&) override { reach("before_forward"); }
  at::Tensor batch_loss(Step&, ForwardPass&) override { return reach("batch_loss"), at::Tensor(); }
  at::Tensor step_loss(Step&) override { return reach("step_loss"), at::Tensor(); }
  void after_backward(Step&) override { reach("after_backward"); }
  void before_update(Step&) override { reach("before_update"); }
  void update(Step&, const std::vector<OwnedParameter>&) override { reach("update"); }
  void after_update(Step&) override { reach("after_update"); }
  void epoch_ended(Step&) override { reach("epoch_ended"); }
  nlohmann::json report() const override { return reach("report"), nlohmann::json(); }
  PluginState state() const override { return reach("state"), PluginState(); }
  void restore(const PluginState&) override { reach("restore"); }

 protected:
  void reach(const std::string& event) const {
    if (event != event_) return;
    if (as_user_) user_error("went wrong");
    throw std::runtime_error("went wrong");
  }
  std::string event_;
  bool as_user_;
};

class ThrowingSelector final : public Throwing<Selector> {
 public:
  using Throwing::Throwing;
  std::optional<Scope> scope(Step&) override { return reach("scope"), std::nullopt; }
  std::optional<Scope> scope_after_backward(Step&) override { return reach("scope_after_backward"), std::nullopt; }
};

class ThrowingSelectorMethod final : public SelectorMethod {
 public:
  explicit ThrowingSelectorMethod(std::string event) : event_(std::move(event)) {}
  std::string name() const override { return "thrower"; }
  std::string doc() const override { return "throws"; }
  int version() const override { return 1; }
  OptionTable options() const override { return {}; }
  std::optional<Choice> choose(const MethodInputs&, const Options&) const override { throw std::runtime_error("went wrong"); }
  std::unique_ptr<Selector> make(const MethodInputs&, const Options&) const override { return std::make_unique<ThrowingSelector>(event_); }

 private:
  std::string event_;
};

class ThrowingRegularizerMethod final : public RegularizerMethod {
 public:
  explicit ThrowingRegularizerMethod(std::string event, bool as_user = false) : event_(std::move(event)), as_user_(as_user) {}
  std::string name() const override { return "thrower"; }
  std::string doc() const override { return "throws"; }
  int version() const override { return 1; }
  OptionTable options() const override { return {}; }
  std::unique_ptr<Regularizer> make(const MethodInputs&, const Options&) const override {
    return std::make_unique<Throwing<Regularizer>>(event_, as_user_);
  }

 private:
  std::string event_;
  bool as_user_;
};

class NoFamily final : public Family {
 public:
  std::string_view model_type() const override { return "none"; }
  const nlohmann::json& config() const override { return config_; }
  int layers() const override { return 0; }
  int64_t hidden_size() const override { return 0; }
  const HeadSpec& head() const override { return head_; }
  int64_t max_positions() const override { return 0; }
  ModelKind model_kind() const override { return {}; }
  const std::vector<ParameterInfo>& parameters() const override { return parameters_; }
  const std::vector<Site>& sites() const override { return sites_; }
  Output forward(const Weights&, const PackedBatch&, const ForwardOptions&) const override { return {}; }
  at::Tensor initial(const ParameterInfo&, Key) const override { return {}; }

 private:
  nlohmann::json config_;
  HeadSpec head_;
  std::vector<ParameterInfo> parameters_;
  std::vector<Site> sites_;
};

void call(StepEvents& events, const std::string& event) {
  const NoFamily family;
  const Weights weights;
  const PackedBatch batch;
  Step step{0, 1, 0, Key::root(1), family, weights, {}, 1, false};
  ForwardPass pass{batch, 1, 0, false, weights, {}, {}, {}, {}, {}, {}};
  if (event == "before_forward") events.before_forward(step, pass);
  if (event == "batch_loss") events.batch_loss(step, pass);
  if (event == "step_loss") events.step_loss(step);
  if (event == "after_backward") events.after_backward(step);
  if (event == "before_update") events.before_update(step);
  if (event == "update") events.update(step, {});
  if (event == "after_update") events.after_update(step);
  if (event == "epoch_ended") events.epoch_ended(step);
  if (event == "report") (void)events.report();
  if (event == "state") (void)events.state();
  if (event == "restore") events.restore({});
  if (event == "scope") dynamic_cast<Selector&>(events).scope(step);
  if (event == "scope_after_backward") dynamic_cast<Selector&>(events).scope_after_backward(step);
}

const std::vector<std::string> kEvents = {"before_forward", "batch_loss",  "step_loss", "after_backward", "before_update", "update",
                                          "after_update",   "epoch_ended", "report",    "state",          "restore"};

template <class Make>
void expect_named(const std::string& event, Make make, ErrorKind kind = ErrorKind::run) {
  const NoFamily family;
  const Weights weights;
  const auto product = make(MethodInputs{family, weights, Key::root(1)});
  try {
    call(*product, event);
    ADD_FAILURE() << event << " did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("plugin thrower"), HasSubstr("/somewhere/thrower.so"), HasSubstr(event), HasSubstr("went wrong")));
  }
  for (const std::string& other : kEvents) {
    if (other == event) continue;
    EXPECT_NO_THROW(call(*product, other)) << other;
  }
}

TEST(EventsGuard, NamesPluginAndEvent_OfARegulariserThatThrows) {
  for (const std::string& event : kEvents) {
    const auto method = guarded(std::make_unique<ThrowingRegularizerMethod>(event), "/somewhere/thrower.so");
    expect_named(event, [&](const MethodInputs& inputs) { return method->make(inputs, Options()); });
  }
}

TEST(EventsGuard, NamesPluginAndEvent_OfAnErrorOfOurs_WhichKeepsItsKind) {
  for (const std::string& event : kEvents) {
    const auto method = guarded(std::make_unique<ThrowingRegularizerMethod>(event, /*as_user=*/true), "/somewhere/thrower.so");
    expect_named(
        event, [&](const MethodInputs& inputs) { return method->make(inputs, Options()); }, ErrorKind::user);
  }
}

TEST(EventsGuard, NamesPluginAndEvent_OfASelectorThatThrows) {
  std::vector<std::string> events = kEvents;
  for (const char* event : {"scope", "scope_after_backward"}) events.push_back(event);
  for (const std::string& event : events) {
    const auto method = guarded(std::make_unique<ThrowingSelectorMethod>(event), "/somewhere/thrower.so");
    expect_named(event, [&](const MethodInputs& inputs) { return method->make(inputs, Options()); });
  }
}

/// Adds a hook to a pass that has one already.
class HookingRegularizer final : public Regularizer {
 public:
  void before_forward(Step&, ForwardPass& pass) override {
    const auto hook = [](const Site&, const at::Tensor&) -> at::Tensor { throw std::runtime_error("went wrong"); };
    pass.options.at_site.insert(pass.options.at_site.begin(), hook);
  }
};

class HookingRegularizerMethod final : public RegularizerMethod {
 public:
  std::string name() const override { return "hook_adder"; }
  std::string doc() const override { return "adds a hook that throws"; }
  int version() const override { return 1; }
  OptionTable options() const override { return {}; }
  std::unique_ptr<Regularizer> make(const MethodInputs&, const Options&) const override { return std::make_unique<HookingRegularizer>(); }
};

TEST(EventsGuard, NamesPluginAndHook_WhenAHookThatARegulariserAddedThrows) {
  const auto method = guarded(std::make_unique<HookingRegularizerMethod>(), "/somewhere/hook_adder.so");
  const NoFamily family;
  const Weights weights;
  const PackedBatch batch;
  Step step{0, 1, 0, Key::root(1), family, weights, {}, 1, false};
  ForwardPass pass{batch, 1, 0, false, weights, {}, {}, {}, {}, {}, {}};
  pass.options.at_site.push_back([](const Site&, const at::Tensor&) -> at::Tensor { throw std::logic_error("not the plugin's"); });
  method->make({family, weights, Key::root(1)}, Options())->before_forward(step, pass);
  ASSERT_EQ(pass.options.at_site.size(), 2u);
  try {
    pass.options.at_site[0]({}, {});
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::run);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("plugin hook_adder"), HasSubstr("at_site: went wrong")));
  }
  EXPECT_THROW(pass.options.at_site[1]({}, {}), std::logic_error);
}

TEST(EventsGuard, CallsAChoiceThatThrowsAnInternalError) {
  const auto method = guarded(std::make_unique<ThrowingSelectorMethod>(""), "/somewhere/thrower.so");
  const NoFamily family;
  const Weights weights;
  try {
    method->choose({family, weights, Key::root(1)}, Options());
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    EXPECT_THAT(error.what(), HasSubstr("choose"));
  }
}

}  // namespace
}  // namespace tsrun::plugin
