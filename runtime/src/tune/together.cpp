#include "tsrun/tune/extra_deltas.h"

#include <algorithm>

namespace tsrun {
namespace {

class Together : public Delta {
 public:
  explicit Together(std::vector<std::unique_ptr<Delta>> deltas) : deltas_(std::move(deltas)) {}

  std::vector<DeltaTensor> tensors() const override {
    return collected<DeltaTensor>([](const Delta& delta) { return delta.tensors(); });
  }
  std::vector<DeltaMatch> matches() const override {
    return collected<DeltaMatch>([](const Delta& delta) { return delta.matches(); });
  }
  std::vector<std::string> trained_parameters() const override {
    return collected<std::string>([](const Delta& delta) { return delta.trained_parameters(); });
  }
  std::vector<ModuleChange> changes() const override {
    return collected<ModuleChange>([](const Delta& delta) { return delta.changes(); });
  }
  std::vector<LowRankFactors> low_rank_factors() const override {
    return collected<LowRankFactors>([](const Delta& delta) { return delta.low_rank_factors(); });
  }
  at::Tensor initial(const DeltaTensor& tensor, const Weights& origin, Key key) const override {
    for (const auto& delta : deltas_) {
      const auto own = delta->tensors();
      if (std::any_of(own.begin(), own.end(), [&](const auto& other) { return other.name == tensor.name; }))
        return delta->initial(tensor, origin, key);
    }
    return {};
  }
  std::vector<DeltaTensor> constants() const override {
    return collected<DeltaTensor>([](const Delta& delta) { return delta.constants(); });
  }
  Weights constant_values(const Weights& origin) const override {
    Weights all;
    for (const auto& delta : deltas_) {
      const Weights own = delta->constant_values(origin);
      for (const std::string& name : own.names()) all.set(name, own.at(name));
    }
    return all;
  }
  void adjust_origin(const Weights& values, Weights& origin) const override {
    for (const auto& delta : deltas_) delta->adjust_origin(values, origin);
  }
  bool starts_as_identity() const override {
    return std::all_of(deltas_.begin(), deltas_.end(), [](const auto& delta) { return delta->starts_as_identity(); });
  }
  void override_weights(const Weights& weights, Weights& seen) const override {
    Weights found = weights;
    for (const auto& delta : deltas_) {
      delta->override_weights(found, seen);
      found = seen;
    }
  }
  void install(const Weights& weights, ForwardOptions& forward) const override {
    for (const auto& delta : deltas_) delta->install(weights, forward);
  }
  std::optional<Weights> merge(const Weights& weights) const override {
    std::optional<Weights> merged = weights;
    for (const auto& delta : deltas_)
      if (merged) merged = delta->merge(*merged);
    return merged;
  }
  std::string why_not_merged() const override {
    for (const auto& delta : deltas_)
      if (const auto reason = delta->why_not_merged(); !reason.empty()) return reason;
    return {};
  }

 private:
  template <class T, class Part>
  std::vector<T> collected(Part&& part) const {
    std::vector<T> all;
    for (const auto& delta : deltas_)
      for (T& one : part(*delta)) all.push_back(std::move(one));
    return all;
  }

  std::vector<std::unique_ptr<Delta>> deltas_;
};

}  // namespace

std::unique_ptr<Delta> together(std::vector<std::unique_ptr<Delta>> deltas) {
  std::erase(deltas, nullptr);
  if (deltas.size() == 1) return std::move(deltas.front());
  return std::make_unique<Together>(std::move(deltas));
}

}  // namespace tsrun
