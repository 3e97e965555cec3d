#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/plugin/plugin.h"

#include <stdexcept>

namespace {

using namespace tsrun;

/// A trained vector added to the queries of every layer; throws on demand.
class Shift final : public Delta {
 public:
  Shift(std::vector<Target> targets, std::string fail) : targets_(std::move(targets)), fail_(std::move(fail)) {}
  std::vector<DeltaTensor> tensors() const override {
    fail("tensors");
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets_)
      tensors.push_back({module.name + ".shift", {module.outputs}, module.layer, DeltaTensor::Init::normal, 0.5});
    return tensors;
  }
  std::vector<DeltaMatch> matches() const override { return {}; }
  void install(const Weights& weights, ForwardOptions& forward) const override {
    fail("install");
    forward.at_linear.push_back([this, weights](const LinearCall& call, const at::Tensor& y) {
      fail("at_linear");
      const at::Tensor* shift = weights.find(call.module + ".shift");
      return shift == nullptr ? y : y + *shift;
    });
  }
  std::optional<Weights> merge(const Weights& /*weights*/) const override {
    fail("merge");
    return std::nullopt;
  }

 private:
  void fail(const char* call) const {
    if (fail_ == call) throw std::runtime_error("the shift slipped");
  }
  std::vector<Target> targets_;
  std::string fail_;
};

class ShiftMethod final : public DeltaMethod {
 public:
  std::string name() const override { return "shift"; }
  std::string doc() const override { return "A vector added to queries, of a method that PEFT is made to have."; }
  int version() const override { return 1; }
  OptionTable options() const override { return {{.name = "fail", .type = OptionType::text, .fallback = "", .doc = "Call that throws."}}; }
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override {
    return std::make_unique<Shift>(find_targets(family, {"query"}, {}, "shift"), options.text("fail"));
  }
  std::optional<PeftType> peft_type() const override { return PeftType{.name = "SHIFT", .honoured = {"fail"}}; }
};

}  // namespace

TSRUN_PLUGIN(registry) { registry.add(std::make_unique<ShiftMethod>()); }
