#include "method.h"

#include "drawn_basis.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/unread.h"
#include "tsrun/linalg/row_svd.h"
#include "tsrun/tune/stored_basis.h"

#include <ATen/ops/zeros.h>

#include <cmath>

namespace tsrun::lottery {
namespace {

struct Choices {
  int64_t dim, stride, burn_in;
  bool random;
  double drop_ratio;
};

const Trajectory& trajectory_of(const SubspaceInputs& inputs) {
  if (!inputs.trajectory) user_error("lottery: needs a trajectory");
  if (const auto difference = first_difference(inputs.parameters.layout, inputs.trajectory->layout()))
    data_error("lottery: the trajectory records another parameter set: {} (the parameters asked for, the trajectory)", *difference);
  return *inputs.trajectory;
}

void check(const Choices& choices, int64_t points) {
  const int64_t increments = (points - choices.burn_in) / choices.stride;
  if (choices.burn_in >= points && !(choices.random && choices.burn_in == points))
    user_error("lottery: burn_in is {}, but the trajectory has {} points; expected fewer", choices.burn_in, points);
  if (!choices.random && choices.dim > increments)
    user_error("lottery: dim is {}, but {} points behind point {}, every {}, give {} increments; expected a lower dim or more points",
               choices.dim, points - choices.burn_in, choices.burn_in, choices.stride, increments);
}

/// Rows θ at every stride-th point behind the burn-in less the one before, as combinations of the differences θ_i − θ_0.
SmallMatrix increment_matrix(const Choices& choices, int64_t points) {
  const int64_t count = (points - choices.burn_in) / choices.stride;
  SmallMatrix m(count, points);
  for (int64_t j = 0; j < count; ++j) {
    const int64_t before = choices.burn_in + j * choices.stride;
    m(j, before + choices.stride - 1) = 1;
    if (before > 0) m(j, before - 1) = -1;
  }
  return m;
}

/// |θ_T − θ_b|
double distance_left(const SmallMatrix& gram, int64_t burn_in) {
  const int64_t last = gram.rows - 1, from = burn_in - 1;
  const double square = gram(last, last) - (from < 0 ? 0 : 2 * gram(last, from) - gram(from, from));
  return std::sqrt(std::max(0.0, square));
}

at::Tensor point_of(const Trajectory& trajectory, int64_t point) {
  const Rows rows = trajectory.differences();
  at::Tensor sum = at::zeros({rows.columns}, at::kFloat);
  std::vector<double> chosen(static_cast<size_t>(rows.count()), 0.0);
  chosen[static_cast<size_t>(point - 1)] = 1;
  add_combination(rows, chosen, {sum.data_ptr<float>(), static_cast<size_t>(rows.columns)});
  return sum;
}

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "dim", .type = OptionType::integer, .doc = "Directions in each group.", .required = true, .minimum = 1},
      {.name = "stride",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "Recorded points of an increment (increments).",
       .minimum = 1,
       .unit = "points"},
      {.name = "burn_in",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "The subspace goes through this point of the trajectory; 0: through the origin.",
       .minimum = 0,
       .unit = "points"},
      {.name = "directions",
       .type = OptionType::choice,
       .fallback = "increments",
       .doc = "Leading singular directions of the increments behind the burn-in (lottery subspace), or random orthonormal ones (burn-in "
              "subspace).",
       .choices = {"increments", "random"}},
      {.name = "drop_ratio",
       .type = OptionType::number,
       .fallback = 1e-6,
       .doc = "Directions with singular values below this share of the largest are dropped (increments).",
       .minimum = 0,
       .maximum = 1}};
}

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  const Trajectory& trajectory = trajectory_of(inputs);
  const Choices choices{options.integer("dim"), options.integer("stride"), options.integer("burn_in"),
                        options.text("directions") == "random", options.number("drop_ratio")};
  if (choices.random) refuse_unread(options, this->options(), {"stride", "drop_ratio"}, "lottery", "directions are random");
  check(choices, trajectory.size());
  StoredDirections found;
  found.description = options.json();
  found.description.update({{"points", trajectory.size()}, {"groups", nlohmann::json::array()}});
  for (const Group& group : inputs.parameters.groups) {
    check_interrupt();
    const Rows rows = trajectory.differences().slice(group.begin, group.end);
    const SmallMatrix products = gram(rows);
    RowSvd svd;
    if (choices.random) {
      svd.rank = std::min(choices.dim, group.size());
    } else {
      svd = right_singular_vectors(products, increment_matrix(choices, trajectory.size()), trajectory.size() - 1, choices.dim,
                                   choices.drop_ratio);
      found.groups.push_back(orthonormal_combinations(transpose(svd.coefficients), rows));
    }
    found.description["groups"].push_back({{"name", group.name},
                                           {"size", group.size()},
                                           {"dim", choices.random ? svd.rank : found.groups.back().size(0)},
                                           {"rank", svd.rank},
                                           {"singular_values", svd.singular_values},
                                           {"update_length", distance_left(products, choices.burn_in)}});
  }
  if (choices.burn_in > 0) found.shift = point_of(trajectory, choices.burn_in);
  if (choices.random) return std::make_unique<DrawnBasis>(inputs.parameters, choices.dim, inputs.key, found.shift, found.description);
  return std::make_unique<StoredBasis>(inputs.parameters, std::move(found));
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  return std::filesystem::exists(folder / "key.json") ? DrawnBasis::load(folder, parameters) : StoredBasis::load(folder, parameters);
}

}  // namespace tsrun::lottery
