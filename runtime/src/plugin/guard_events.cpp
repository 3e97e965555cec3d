#include "plugin/guard.h"
#include "plugin/guard_hooks.h"
#include "tsrun/train/diverged.h"

/// Guards of selectors and regularisers. An exception in an event ends the training (exit code 4); its last checkpoint stays.
namespace tsrun::plugin {
namespace {

template <class Product>
class GuardedEvents : public Product {
 public:
  GuardedEvents(std::unique_ptr<Product> inner, GuardOrigin origin) : inner_(std::move(inner)), origin_(std::move(origin)) {}
  void before_forward(Step& step, ForwardPass& pass) override {
    guard_hooks(pass.options, origin_, ErrorKind::run, [&] { event("before_forward", [&] { inner_->before_forward(step, pass); }); });
  }
  at::Tensor batch_loss(Step& step, ForwardPass& pass) override {
    return event("batch_loss", [&] { return inner_->batch_loss(step, pass); });
  }
  at::Tensor step_loss(Step& step) override {
    return event("step_loss", [&] { return inner_->step_loss(step); });
  }
  void after_backward(Step& step) override {
    event("after_backward", [&] { inner_->after_backward(step); });
  }
  void before_update(Step& step) override {
    event("before_update", [&] { inner_->before_update(step); });
  }
  void update(Step& step, const std::vector<OwnedParameter>& parameters) override {
    event("update", [&] { inner_->update(step, parameters); });
  }
  void after_update(Step& step) override {
    event("after_update", [&] { inner_->after_update(step); });
  }
  void epoch_ended(Step& step) override {
    event("epoch_ended", [&] { inner_->epoch_ended(step); });
  }
  nlohmann::json report() const override {
    return event("report", [&] { return inner_->report(); });
  }
  PluginState state() const override {
    return event("state", [&] { return inner_->state(); });
  }
  void restore(const PluginState& state) override {
    event("restore", [&] { inner_->restore(state); });
  }

 protected:
  /// An error of ours keeps its kind and says where it came from; a search looks for `Diverged` itself.
  template <class Call>
  decltype(auto) event(const char* call, Call&& body) const {
    try {
      return origin_.run(call, std::forward<Call>(body), ErrorKind::run);
    } catch (const Diverged&) {
      throw;
    } catch (const Error& error) {
      const std::string message = error.what();
      if (error.kind() == ErrorKind::interrupt || message.starts_with(origin_.text)) throw;
      throw Error(error.kind(), fmt::format("{}: {}: {}", origin_.text, call, message));
    }
  }

  std::unique_ptr<Product> inner_;
  GuardOrigin origin_;
};

class GuardedSelector final : public GuardedEvents<Selector> {
 public:
  using GuardedEvents::GuardedEvents;
  std::optional<Scope> scope(Step& step) override {
    return event("scope", [&] { return inner_->scope(step); });
  }
  std::optional<Scope> scope_after_backward(Step& step) override {
    return event("scope_after_backward", [&] { return inner_->scope_after_backward(step); });
  }
};

Wants guarded_wants(Wants wants, const GuardOrigin& origin) {
  if (const auto updated = wants.updated)
    wants.updated = [updated, origin](const Family& family) { return origin.run("updated", [&] { return updated(family); }); };
  return wants;
}

class GuardedSelectorMethod final : public Guarded<SelectorMethod> {
 public:
  using Guarded::Guarded;
  Wants wants(const Options& options) const override {
    return guarded_wants(origin_.run("wants", [&] { return inner_->wants(options); }), origin_);
  }
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override {
    return origin_.run("choose", [&] { return inner_->choose(inputs, options); });
  }
  std::unique_ptr<Selector> make(const MethodInputs& inputs, const Options& options) const override {
    auto selector = origin_.run("make", [&] { return inner_->make(inputs, options); });
    return selector ? std::make_unique<GuardedSelector>(std::move(selector), origin_) : nullptr;
  }
};

class GuardedRegularizerMethod final : public Guarded<RegularizerMethod> {
 public:
  using Guarded::Guarded;
  Wants wants(const Options& options) const override {
    return guarded_wants(origin_.run("wants", [&] { return inner_->wants(options); }), origin_);
  }
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override {
    return std::make_unique<GuardedEvents<Regularizer>>(
        origin_.made("make", origin_.run("make", [&] { return inner_->make(inputs, options); })), origin_);
  }
};

}  // namespace

std::unique_ptr<SelectorMethod> guarded(std::unique_ptr<SelectorMethod> method, const std::filesystem::path& file) {
  return std::make_unique<GuardedSelectorMethod>(std::move(method), file);
}

std::unique_ptr<RegularizerMethod> guarded(std::unique_ptr<RegularizerMethod> method, const std::filesystem::path& file) {
  return std::make_unique<GuardedRegularizerMethod>(std::move(method), file);
}

}  // namespace tsrun::plugin
