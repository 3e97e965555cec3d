#include "plugin/guard.h"
#include "plugin/guard_hooks.h"

namespace tsrun::plugin {
namespace {

class GuardedDelta final : public Delta {
 public:
  GuardedDelta(std::unique_ptr<Delta> inner, GuardOrigin origin) : inner_(std::move(inner)), origin_(std::move(origin)) {}
  std::vector<DeltaTensor> tensors() const override {
    return origin_.run("tensors", [&] { return inner_->tensors(); });
  }
  std::vector<DeltaMatch> matches() const override {
    return origin_.run("matches", [&] { return inner_->matches(); });
  }
  at::Tensor initial(const DeltaTensor& tensor, const Weights& origin, Key key) const override {
    return origin_.run("initial", [&] { return inner_->initial(tensor, origin, key); });
  }
  std::vector<DeltaTensor> constants() const override {
    return origin_.run("constants", [&] { return inner_->constants(); });
  }
  Weights constant_values(const Weights& origin) const override {
    return origin_.run("constant_values", [&] { return inner_->constant_values(origin); });
  }
  void adjust_origin(const Weights& values, Weights& origin) const override {
    origin_.run("adjust_origin", [&] { inner_->adjust_origin(values, origin); });
  }
  bool starts_as_identity() const override {
    return origin_.run("starts_as_identity", [&] { return inner_->starts_as_identity(); });
  }
  void override_weights(const Weights& weights, Weights& seen) const override {
    origin_.run("override_weights", [&] { inner_->override_weights(weights, seen); });
  }
  void install(const Weights& weights, ForwardOptions& forward) const override {
    guard_hooks(forward, origin_, ErrorKind::internal, [&] { origin_.run("install", [&] { inner_->install(weights, forward); }); });
  }
  std::vector<ModuleChange> changes() const override {
    return origin_.run("changes", [&] { return inner_->changes(); });
  }
  std::vector<std::string> trained_parameters() const override {
    return origin_.run("trained_parameters", [&] { return inner_->trained_parameters(); });
  }
  std::vector<LowRankFactors> low_rank_factors() const override {
    return origin_.run("low_rank_factors", [&] { return inner_->low_rank_factors(); });
  }
  std::optional<Weights> merge(const Weights& weights) const override {
    return origin_.run("merge", [&] { return inner_->merge(weights); });
  }
  std::string why_not_merged() const override {
    return origin_.run("why_not_merged", [&] { return inner_->why_not_merged(); });
  }

 private:
  std::unique_ptr<Delta> inner_;
  GuardOrigin origin_;
};

class GuardedDeltaMethod final : public Guarded<DeltaMethod> {
 public:
  using Guarded::Guarded;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override {
    auto delta = origin_.made("attach", origin_.run("attach", [&] { return inner_->attach(family, options); }));
    return std::make_unique<GuardedDelta>(std::move(delta), origin_);
  }
  std::optional<PeftType> peft_type() const override {
    return origin_.run("peft_type", [&] { return inner_->peft_type(); });
  }
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override {
    return origin_.run("options_from_peft", [&] { return inner_->options_from_peft(config); });
  }
  PeftTensor tensor_from_peft(PeftTensor tensor, const Delta& delta, const Family& family) const override {
    return origin_.run("tensor_from_peft", [&] { return inner_->tensor_from_peft(std::move(tensor), delta, family); });
  }
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override {
    return origin_.run("to_peft", [&] { return inner_->to_peft(delta, options, model); });
  }
};

}  // namespace

std::unique_ptr<DeltaMethod> guarded(std::unique_ptr<DeltaMethod> method, const std::filesystem::path& file) {
  return std::make_unique<GuardedDeltaMethod>(std::move(method), file);
}

}  // namespace tsrun::plugin
