#include "mixing.h"

#include "tsrun/base/error.h"

#include <cmath>

namespace tsrun::joint_decomposition {
namespace {

std::vector<double> break_stick(size_t members, Stream& stream) {
  std::vector<double> weights;
  double left = 1;
  for (size_t m = 0; m + 1 < members; ++m) {
    weights.push_back(left * stream.uniform());
    left -= weights.back();
  }
  weights.push_back(left);
  return weights;
}

/// Shares of exponential waiting times.
std::vector<double> uniform_on_simplex(size_t members, Stream& stream) {
  std::vector<double> weights;
  double sum = 0;
  for (size_t m = 0; m < members; ++m) {
    weights.push_back(-std::log1p(-stream.uniform()));
    sum += weights.back();
  }
  if (!(sum > 0)) return std::vector<double>(members, 1 / static_cast<double>(members));
  for (double& weight : weights) weight /= sum;
  return weights;
}

}  // namespace

std::vector<double> draw_mixture(Mixing distribution, size_t members, Key key) {
  Stream stream(key);
  if (distribution == Mixing::none) internal_error("joint_decomposition: there is no mixture to draw");
  return distribution == Mixing::release ? break_stick(members, stream) : uniform_on_simplex(members, stream);
}

Mixing mixing_named(const std::string& name) {
  return name == "release" ? Mixing::release : name == "dirichlet" ? Mixing::dirichlet : Mixing::none;
}

}  // namespace tsrun::joint_decomposition
