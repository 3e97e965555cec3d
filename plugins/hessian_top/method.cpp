#include "method.h"

#include "lanczos.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/flat_loss.h"
#include "tsrun/tune/stored_basis.h"

#include <algorithm>

namespace tsrun::hessian_top {
namespace {

/// The Hessian of the loss on some rows at θ0, within one group, by central differences of gradients.
class GroupHessian {
 public:
  GroupHessian(const SubspaceInputs& inputs, const Group& group, std::vector<int64_t> rows, const Options& options)
      : loss_(inputs, "hessian_top"),
        origin_(inputs.origin),
        group_(group),
        rows_(std::move(rows)),
        row_batch_(options.integer("row_batch")),
        move_(options.number("difference") * std::max(within(origin_).norm().item<double>(), 1e-6)) {}

  at::Tensor operator()(const at::Tensor& v) const { return (gradient_at(v, move_) - gradient_at(v, -move_)) / (2 * move_); }

 private:
  at::Tensor within(const at::Tensor& flat) const { return flat.slice(0, group_.begin, group_.end); }
  at::Tensor gradient_at(const at::Tensor& v, double move) const {
    at::Tensor theta = origin_.clone();
    within(theta).copy_(within(origin_).to(at::kDouble) + move * v);
    return within(loss_.gradient(theta, rows_, row_batch_)).to(at::kDouble);
  }

  FlatLoss loss_;
  const at::Tensor& origin_;
  const Group& group_;
  std::vector<int64_t> rows_;
  int64_t row_batch_;
  double move_;  ///< length of a step
};

int64_t steps_of(const Options& options) { return options.has("steps") ? options.integer("steps") : 2 * options.integer("dim") + 10; }

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "dim", .type = OptionType::integer, .fallback = 8, .doc = "Eigenvectors of each group.", .minimum = 1},
      {.name = "steps",
       .type = OptionType::integer,
       .doc = "Steps of Lanczos' method, two gradients each; 2 dim + 10 when absent.",
       .minimum = 1},
      {.name = "rows", .type = OptionType::integer, .fallback = 128, .doc = "Rows of the loss, drawn at random.", .minimum = 1},
      {.name = "row_batch", .type = OptionType::integer, .fallback = 32, .doc = "Rows of a backward pass.", .minimum = 1, .unit = "rows"},
      {.name = "difference",
       .type = OptionType::number,
       .fallback = 1e-3,
       .doc = "Length of a finite difference, as a share of the group's own length.",
       .minimum = 1e-7,
       .maximum = 1}};
}

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  const int64_t dim = options.integer("dim"), steps = steps_of(options);
  if (steps < dim) user_error("hessian_top: {} steps give at most as many of {} eigenvectors; expected more steps", steps, dim);
  const auto rows = FlatLoss(inputs, "hessian_top").drawn_rows(inputs.key.split("rows"), options.integer("rows"));
  StoredDirections found;
  found.description = {{"rows", rows.size()}, {"steps", steps}, {"groups", nlohmann::json::array()}};
  for (const Group& group : inputs.parameters.groups) {
    const GroupHessian hessian(inputs, group, rows, options);
    const RitzPairs pairs = lanczos(hessian, group.size(), std::min(steps, group.size()), dim, inputs.key.split(group.name));
    found.groups.push_back(pairs.vectors.to(at::kFloat).contiguous());
    found.description["groups"].push_back({{"name", group.name},
                                           {"size", group.size()},
                                           {"dim", pairs.values.size()},
                                           {"singular_values", pairs.values},
                                           {"residuals", pairs.residuals}});
  }
  return std::make_unique<StoredBasis>(inputs.parameters, std::move(found));
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  return StoredBasis::load(folder, parameters);
}

}  // namespace tsrun::hessian_top
