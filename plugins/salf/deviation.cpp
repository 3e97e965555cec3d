#include "deviation.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <cmath>

namespace tsrun::salf {
namespace {

/// Cosine of the rows of `x` and `y`.
at::Tensor cosines(const at::Tensor& x, const at::Tensor& y) { return (unit_rows(x) * unit_rows(y)).sum(-1); }

/// Point `share` of the way between the unit vectors `from` and `to`, along the chord or the great circle.
at::Tensor on_path(const at::Tensor& from, const at::Tensor& to, double share, bool spherical) {
  if (!spherical) return (1 - share) * from + share * to;
  const at::Tensor angle = (from * to).sum(-1, true).clamp(-1, 1).acos();
  const at::Tensor sine = angle.sin().clamp_min(1e-12);
  return ((1 - share) * angle).sin() / sine * from + (share * angle).sin() / sine * to;
}

/// -log softmax of `states` times `scale`, against every label, at the right one; in float32, which is exact enough for a mean.
at::Tensor label_losses(const at::Tensor& states, const at::Tensor& all_labels, const at::Tensor& labels, double scale) {
  const at::Tensor logits = at::linear(states.to(at::kFloat), all_labels.to(at::kFloat)) * scale;
  return at::cross_entropy_loss(logits, labels, {}, at::Reduction::None).to(at::kDouble);
}

class Measure {
 public:
  Measure(const MethodInputs& inputs, const LabelBasis& basis, const Options& options)
      : family_(inputs.family),
        weights_(inputs.origin),
        basis_(basis),
        deviation_(options.text("deviation")),
        spherical_(options.text("path") == "spherical"),
        read_out_(options.flag("read_out")),
        scale_(1 / options.number("temperature")) {
    if (deviation_ == "lens_ce") all_labels_ = weights_.at(family_.label_matrix()).detach();
    if (deviation_ == "basis_ce") all_labels_ = unit_rows(basis.vectors(at::arange(basis.labels()))).to(at::kFloat);
  }

  /// Sum over positions, of every space.
  std::vector<double> sums(const Probe::LabelStates& found) const {
    std::vector<at::Tensor> read;
    for (size_t i = 0; i < found.states.size(); ++i) read.push_back(reading(found.states[i], i + 1 == found.states.size()));
    const at::Tensor labels = found.labels.to(at::kCPU);
    const at::Tensor targets = basis_.vectors(labels);
    check_width(read.front(), targets);
    std::vector<double> sums;
    for (size_t i = 0; i < read.size(); ++i) {
      const double depth = static_cast<double>(i) / static_cast<double>(std::max<size_t>(read.size() - 1, 1));
      sums.push_back(of_positions(read, i, targets, labels, depth).sum().item<double>());
    }
    return sums;
  }

 private:
  at::Tensor reading(const at::Tensor& states, bool last) const {
    return (read_out_ ? family_.read_out(weights_, states, last) : states).to(at::kCPU, at::kDouble);
  }

  at::Tensor of_positions(const std::vector<at::Tensor>& read, size_t i, const at::Tensor& targets, const at::Tensor& labels,
                          double depth) const {
    if (deviation_ == "basis_cos") return 1 - cosines(read[i], targets);
    if (deviation_ == "basis_ce") return label_losses(unit_rows(read[i]), all_labels_, labels, scale_);
    if (deviation_ == "lens_ce") return label_losses(read[i], all_labels_.to(at::kCPU), labels, 1);
    return 1 - cosines(read[i], on_path(unit_rows(read[0]), unit_rows(targets), depth, spherical_));
  }

  void check_width(const at::Tensor& states, const at::Tensor& targets) const {
    if (states.size(1) != targets.size(1))
      user_error(
          "salf: hidden states have {} features and the labels' basis {}; expected option 'read_out' = true, and basis = \"pinv\" or "
          "\"head_row\"",
          states.size(1), targets.size(1));
  }

  const Family& family_;
  const Weights& weights_;
  const LabelBasis& basis_;
  std::string deviation_;
  bool spherical_, read_out_;
  double scale_;
  at::Tensor all_labels_;
};

}  // namespace

OptionTable deviation_options() {
  return {
      {.name = "deviation",
       .type = OptionType::choice,
       .fallback = "basis_cos",
       .doc = "distance of a state from its label: 1 - cosine to the label's basis; cross-entropy of such cosines over all labels; "
              "cross-entropy of the head's logits; 1 - cosine to a path from the first state to the basis",
       .choices = {"basis_cos", "basis_ce", "lens_ce", "virtual_path"}},
      {.name = "read_out",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "states pass what stands between the last layer and the label matrix: final norm, pooler, the head's transform"},
      {.name = "temperature",
       .type = OptionType::number,
       .fallback = 0.05,
       .doc = "basis_ce: divides cosines before the softmax",
       .minimum = 1e-4},
      {.name = "path",
       .type = OptionType::choice,
       .fallback = "straight",
       .doc = "virtual_path: chord or great circle between unit vectors",
       .choices = {"straight", "spherical"}},
      {.name = "rows", .type = OptionType::integer, .fallback = 256, .doc = "training rows looked at, drawn from the seed", .minimum = 1},
      {.name = "rows_at_once", .type = OptionType::integer, .fallback = 32, .doc = "rows of one forward pass", .minimum = 1},
  };
}

void each_batch(const MethodInputs& inputs, const Options& options, const std::function<void(const Probe::LabelStates&)>& seen) {
  std::vector<int64_t> rows = permutation(inputs.key.split("rows"), inputs.probe->rows());
  rows.resize(std::min(rows.size(), static_cast<size_t>(options.integer("rows"))));
  std::sort(rows.begin(), rows.end());
  const auto at_once = static_cast<size_t>(options.integer("rows_at_once"));
  for (size_t i = 0; i < rows.size(); i += at_once) {
    const auto found = inputs.probe->label_states(inputs.origin, std::span(rows).subspan(i, std::min(at_once, rows.size() - i)));
    if (found.labels.size(0) > 0) seen(found);
  }
}

Deviations deviations_of(const MethodInputs& inputs, const LabelBasis& basis, const Options& options) {
  const Measure measure(inputs, basis, options);
  Deviations result;
  each_batch(inputs, options, [&](const Probe::LabelStates& found) {
    result.first_layer = found.first_layer;
    result.positions += found.labels.size(0);
    result.of_space.resize(found.states.size());
    const auto sums = measure.sums(found);
    for (size_t l = 0; l < sums.size(); ++l) result.of_space[l] += sums[l];
  });
  if (result.positions == 0) user_error("salf: none of the rows looked at has a label to predict");
  for (double& sum : result.of_space) sum /= static_cast<double>(result.positions);
  return result;
}

}  // namespace tsrun::salf
