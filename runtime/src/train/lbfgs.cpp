#include "train/few_unknowns_parts.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/few_unknowns.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>

namespace tsrun {
namespace training {
namespace {

constexpr int kWolfeTries = 20;
constexpr double kDecrease = 1e-4, kFlattening = 0.9;  // c1 and c2 of the Wolfe conditions

struct Trial {
  double length = 0;  ///< along the direction
  LossAt::WithGradient at;
};

/// Lewis and Overton 2013, algorithm 2.6: doubling, then bisection. When tries run out, the longest step found that decreases enough.
std::optional<Trial> weak_wolfe(LossAt& loss, const at::Tensor& z, double value, const at::Tensor& direction, double slope, double first) {
  std::optional<Trial> enough;
  double low = 0, high = INFINITY, length = first;
  for (int i = 0; i < kWolfeTries; ++i) {
    Trial trial{length, loss.with_gradient(z + length * direction)};
    if (!(trial.at.value <= value + kDecrease * length * slope)) {
      high = length;
    } else {
      const bool flat = inner_product(trial.at.gradient, direction) >= kFlattening * slope;
      enough = std::move(trial);
      if (flat) return enough;
      low = length;
    }
    length = std::isinf(high) ? 2 * low : (low + high) / 2;
  }
  return enough;
}

class Lbfgs final : public FewUnknowns {
 public:
  explicit Lbfgs(const LbfgsOptions& options) : options_(options) {}

  Made step(LossAt& loss, at::Tensor& z, Key /*key*/) override {
    const auto start = loss.with_gradient(z);
    const Made made{start.value, length_of(start.gradient)};
    if (!std::isfinite(made.loss) || !(made.gradient_norm > 0)) return made;
    at::Tensor direction = descent(start.gradient);
    if (!(inner_product(direction, start.gradient) < 0)) pairs_.clear(), direction = -start.gradient;
    const double slope = inner_product(direction, start.gradient);
    const double first = pairs_.empty() ? std::min(1.0, 1 / start.gradient.abs().sum().item<double>()) : 1;
    const auto found = weak_wolfe(loss, z, start.value, direction, slope, first);
    if (!found) {  // the curvature is of other batches: begin anew with the gradient
      pairs_.clear();
      return made;
    }
    const at::Tensor way = found->length * direction;
    z += way;
    remember(way, found->at.gradient - start.gradient);
    return made;
  }

  std::map<std::string, at::Tensor> state() const override {
    if (pairs_.empty()) return {};
    std::vector<at::Tensor> ways, changes;
    for (const auto& [way, change] : pairs_) ways.push_back(way), changes.push_back(change);
    return {{"ways", at::stack(ways)}, {"changes", at::stack(changes)}};
  }

  void restore(const std::map<std::string, at::Tensor>& state) override {
    pairs_.clear();
    const at::Tensor ways = saved(state, "ways"), changes = saved(state, "changes");
    for (int64_t i = 0; ways.defined() && i < ways.size(0); ++i) pairs_.emplace_back(ways.select(0, i), changes.select(0, i));
  }

 private:
  /// −H g by the two loops over the pairs, H scaled by the newest.
  at::Tensor descent(const at::Tensor& gradient) const {
    at::Tensor q = gradient.clone();
    std::vector<double> shares(pairs_.size());
    for (size_t i = pairs_.size(); i-- > 0;) {
      const auto& [way, change] = pairs_[i];
      shares[i] = inner_product(way, q) / inner_product(way, change);
      q -= shares[i] * change;
    }
    if (!pairs_.empty())
      q *= inner_product(pairs_.back().first, pairs_.back().second) / inner_product(pairs_.back().second, pairs_.back().second);
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const auto& [way, change] = pairs_[i];
      q += (shares[i] - inner_product(change, q) / inner_product(way, change)) * way;
    }
    return -q;
  }

  /// Keeps a pair whose curvature is positive beyond rounding.
  void remember(const at::Tensor& way, const at::Tensor& change) {
    if (!(inner_product(way, change) > 1e-10 * length_of(way) * length_of(change))) return;
    pairs_.emplace_back(way, change);
    if (static_cast<int64_t>(pairs_.size()) > options_.history) pairs_.pop_front();
  }

  LbfgsOptions options_;
  std::deque<std::pair<at::Tensor, at::Tensor>> pairs_;  ///< oldest first
};

}  // namespace

}  // namespace training

std::unique_ptr<FewUnknowns> make_lbfgs(const LbfgsOptions& options) { return std::make_unique<training::Lbfgs>(options); }

}  // namespace tsrun
