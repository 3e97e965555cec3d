#include "method.h"

#include "bases.h"
#include "report.h"
#include "variants.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/linalg/row_svd.h"

namespace tsrun::trajectory_svd {
namespace {

struct Choices {
  std::string variant, form;
  std::optional<int64_t> dim;
  double drop_ratio;
};

/// W's rows bound the dimension.
void check_dim(const Choices& choices, int64_t points) {
  const int64_t most = variant_matrix(choices.variant, points).rows;
  if (choices.dim && *choices.dim > most)
    user_error(
        "trajectory_svd: dim is {}, but the trajectory has {} points, so variant '{}' gives at most {} directions; record more points or "
        "lower dim",
        *choices.dim, points, choices.variant, most);
}

const Trajectory& trajectory_of(const SubspaceInputs& inputs) {
  if (!inputs.trajectory) user_error("trajectory_svd: needs a trajectory");
  if (const auto difference = first_difference(inputs.parameters.layout, inputs.trajectory->layout()))
    data_error("trajectory_svd: the trajectory records another parameter set: {} (the parameters asked for, the trajectory)", *difference);
  if (inputs.trajectory->size() == 0) user_error("trajectory_svd: the trajectory has no points");
  return *inputs.trajectory;
}

SmallMatrix without_first_column(const SmallMatrix& m) {
  SmallMatrix rest(m.rows, m.columns - 1);
  for (int64_t i = 0; i < m.rows; ++i)
    for (int64_t j = 1; j < m.columns; ++j) rest(i, j - 1) = m(i, j);
  return rest;
}

SmallMatrix without_first(const SmallMatrix& gram) { return without_first_column(transpose(without_first_column(gram))); }

struct Found {
  RowSvd factor;
  nlohmann::json description;
};

Found discover_group(const Trajectory& trajectory, const Group& group, const Choices& choices) {
  const SmallMatrix gram = group_rows(trajectory, group, true).gram();
  const SmallMatrix m = variant_matrix(choices.variant, trajectory.size());
  const bool origin = uses_origin(choices.variant);
  RowSvd factor =
      origin ? right_singular_vectors(gram, m, trajectory.size(), choices.dim, choices.drop_ratio)
             : right_singular_vectors(without_first(gram), without_first_column(m), trajectory.size() - 1, choices.dim, choices.drop_ratio);
  nlohmann::json description = describe_group({group.name, group.size(), gram, origin}, factor);
  return {std::move(factor), std::move(description)};
}

at::Tensor form_directions(const RowSource& rows, const SmallMatrix& coefficients, int64_t size) {
  return orthonormal_directions(coefficients.columns, size,
                                [&](std::span<float* const> out) { rows.combine(transpose(coefficients), out); });
}

}  // namespace

OptionTable Method::options() const {
  return {{.name = "variant",
           .type = OptionType::choice,
           .fallback = "raw",
           .doc = "What is decomposed: the checkpoints themselves (raw, as the paper writes it), with the origin as one more row, less "
                  "their mean, less the "
                  "origin (delta, the better conditioned reading), or each less its predecessor.",
           .choices = variant_names()},
          {.name = "dim",
           .type = OptionType::integer,
           .doc = "Directions kept in each group; all when absent.",
           .minimum = 1,
           .maximum = 100000},
          {.name = "drop_ratio",
           .type = OptionType::number,
           .fallback = 1e-6,
           .doc = "Directions with singular values below this share of the largest are dropped and reported.",
           .minimum = 0,
           .maximum = 1},
          {.name = "form",
           .type = OptionType::choice,
           .fallback = "factored",
           .doc = "Storage: the recorded rows and a small matrix (factored), or the directions (dense).",
           .choices = {"factored", "dense"}}};
}

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  const Trajectory& trajectory = trajectory_of(inputs);
  const Choices choices{options.text("variant"), options.text("form"),
                        options.has("dim") ? std::optional(options.integer("dim")) : std::nullopt, options.number("drop_ratio")};
  check_dim(choices, trajectory.size());
  const bool origin = uses_origin(choices.variant);
  nlohmann::json description = {{"variant", choices.variant},
                                {"form", choices.form},
                                {"points", trajectory.size()},
                                {"with_origin", origin},
                                {"groups", nlohmann::json::array()}};
  std::vector<SmallMatrix> coefficients;
  std::vector<at::Tensor> directions;
  for (const Group& group : inputs.parameters.groups) {
    check_interrupt();
    Found found = discover_group(trajectory, group, choices);
    description["groups"].push_back(std::move(found.description));
    if (choices.form == "dense")
      directions.push_back(form_directions(group_rows(trajectory, group, origin), found.factor.coefficients, group.size()));
    coefficients.push_back(std::move(found.factor.coefficients));
  }
  if (choices.form == "dense")
    return std::make_unique<StoredBasis>(inputs.parameters,
                                         StoredDirections{.groups = std::move(directions), .description = std::move(description)});
  return std::make_unique<FactoredBasis>(inputs.parameters, trajectory, origin, std::move(coefficients), std::move(description));
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  const nlohmann::json index = read_json(folder / index_name);
  try {
    if (index.at("layout") != parameters.layout.digest()) data_error("{}: the basis belongs to another parameter set", folder.string());
    const auto form = index.at("form").get<std::string>();
    if (form == "factored") return FactoredBasis::load(folder, parameters, index);
    if (form == "dense") return StoredBasis::load(folder, parameters);
    data_error("{}: form '{}', expected factored or dense", (folder / index_name).string(), form);
  } catch (const nlohmann::json::exception& e) {
    data_error("{}: not a basis: {}", (folder / index_name).string(), e.what());
  }
}

}  // namespace tsrun::trajectory_svd
