#include "method.h"

#include "core_basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/unread.h"
#include "tsrun/linalg/row_svd.h"
#include "tsrun/tune/flat_loss.h"
#include "tsrun/tune/stored_basis.h"

namespace tsrun::gradient_svd {
namespace {

struct Calibration {
  int64_t batches = 0, row_batch = 0;
  static Calibration of(const Options& options) { return {options.integer("batches"), options.integer("row_batch")}; }
};

/// Drawn rows, cut into batches.
std::vector<std::vector<int64_t>> drawn_batches(const SubspaceInputs& inputs, const FlatLoss& loss, const Calibration& calibration) {
  const auto rows = loss.drawn_rows(inputs.key.split("rows"), calibration.batches * calibration.row_batch);
  std::vector<std::vector<int64_t>> batches;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i % static_cast<size_t>(calibration.row_batch) == 0) batches.emplace_back();
    batches.back().push_back(rows[i]);
  }
  return batches;
}

at::Tensor gradients_of_batches(const SubspaceInputs& inputs, const Calibration& calibration) {
  const FlatLoss loss(inputs, "gradient_svd");
  std::vector<at::Tensor> gradients;
  for (const auto& batch : drawn_batches(inputs, loss, calibration))
    gradients.push_back(loss.gradient(inputs.origin, batch, calibration.row_batch));
  return at::stack(gradients);
}

std::unique_ptr<Subspace> from_gradients(const SubspaceInputs& inputs, const Options& options) {
  const at::Tensor gradients = gradients_of_batches(inputs, Calibration::of(options));
  const int64_t dim = options.has("dim") ? options.integer("dim") : gradients.size(0);
  if (dim > gradients.size(0))
    user_error("gradient_svd: dim is {}, but {} batches give at most as many directions; expected a lower dim or more batches", dim,
               gradients.size(0));
  Rows rows{{}, RowType::float32, gradients.size(1)};
  for (const at::Tensor& row : gradients.unbind()) rows.data.push_back(row.const_data_ptr());
  SmallMatrix identity(rows.count(), rows.count());
  for (int64_t i = 0; i < rows.count(); ++i) identity(i, i) = 1;
  StoredDirections found;
  found.description = {{"variant", "gradients"}, {"batches", rows.count()}, {"groups", nlohmann::json::array()}};
  for (const Group& group : inputs.parameters.groups) {
    check_interrupt();
    const Rows mine = rows.slice(group.begin, group.end);
    const RowSvd svd = right_singular_vectors(gram(mine), identity, rows.count() - 1, dim, options.number("drop_ratio"));
    found.groups.push_back(orthonormal_combinations(transpose(svd.coefficients), mine));
    found.description["groups"].push_back({{"name", group.name},
                                           {"size", group.size()},
                                           {"dim", svd.coefficients.columns},
                                           {"rank", svd.rank},
                                           {"singular_values", svd.singular_values}});
  }
  return std::make_unique<StoredBasis>(inputs.parameters, std::move(found));
}

std::unique_ptr<Subspace> from_one_step(const SubspaceInputs& inputs, const Options& options) {
  const Calibration calibration = Calibration::of(options);
  const FlatLoss loss(inputs, "gradient_svd");
  const auto rows = loss.drawn_rows(inputs.key.split("rows"), calibration.batches * calibration.row_batch);
  const at::Tensor gradient = loss.gradient(inputs.origin, rows, calibration.row_batch);
  const Weights steps = unflatten(options.flag("sign") ? gradient.sign() : gradient, inputs.parameters.layout);
  std::vector<Frame> frames;
  nlohmann::json matrices = nlohmann::json::array();
  for (const Slice& slice : inputs.parameters.layout.slices()) {
    if (slice.shape.size() != 2) continue;
    check_interrupt();
    frames.push_back(leading_frame(slice.name, steps.at(slice.name), options.integer("rank")));
    matrices.push_back({{"name", slice.name}, {"rank", frames.back().values.numel()}, {"share", frames.back().share}});
  }
  if (frames.empty()) user_error("gradient_svd: variant one_step needs matrices, found none among {} parameters", steps.size());
  const double step = options.text("start") == "step" ? options.number("step") : 0;
  nlohmann::json description = {{"variant", "one_step"}, {"rows", rows.size()}, {"step", step}, {"matrices", std::move(matrices)}};
  return std::make_unique<CoreBasis>(inputs.parameters, std::move(frames), step, std::move(description));
}

void refuse_options_of_the_other(const Options& given, const OptionTable& table) {
  constexpr const char* where = "gradient_svd";
  if (given.text("variant") == "gradients")
    return refuse_unread(given, table, {"rank", "sign", "start", "step"}, where, "variant is 'gradients'");
  refuse_unread(given, table, {"dim", "drop_ratio"}, where, "variant is 'one_step', whose frames have rank² coordinates a matrix");
  if (given.text("start") == "origin") refuse_unread(given, table, {"step"}, where, "z = 0 is the origin (start)");
}

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "variant",
       .type = OptionType::choice,
       .fallback = "gradients",
       .doc = "Leading directions of the gradients of several batches (gradients), or for every matrix the leading frame of the first "
              "step, with rank² coordinates (one_step).",
       .choices = {"gradients", "one_step"}},
      {.name = "dim", .type = OptionType::integer, .doc = "Directions of each group (gradients); all when absent.", .minimum = 1},
      {.name = "rank", .type = OptionType::integer, .fallback = 4, .doc = "Directions of each side of a matrix (one_step).", .minimum = 1},
      {.name = "batches", .type = OptionType::integer, .fallback = 8, .doc = "Batches of rows, drawn at random.", .minimum = 1},
      {.name = "row_batch", .type = OptionType::integer, .fallback = 32, .doc = "Rows of a batch.", .minimum = 1, .unit = "rows"},
      {.name = "sign",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "The step is the sign of the summed gradient, as Adam's first one; otherwise the gradient (one_step)."},
      {.name = "start",
       .type = OptionType::choice,
       .fallback = "origin",
       .doc = "z = 0 is the origin, or the origin after the step within the frame (one_step).",
       .choices = {"origin", "step"}},
      {.name = "step",
       .type = OptionType::number,
       .fallback = 5e-5,
       .doc = "Length of that step: its learning rate (start = step).",
       .minimum = 0},
      {.name = "drop_ratio",
       .type = OptionType::number,
       .fallback = 1e-6,
       .doc = "Directions with singular values below this share of the largest are dropped (gradients).",
       .minimum = 0,
       .maximum = 1}};
}

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  refuse_options_of_the_other(options, this->options());
  return options.text("variant") == "one_step" ? from_one_step(inputs, options) : from_gradients(inputs, options);
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  const nlohmann::json index = read_json(folder / index_name);
  try {
    if (index.at("form") == "cores") return CoreBasis::load(folder, parameters, index);
    return StoredBasis::load(folder, parameters);
  } catch (const nlohmann::json::exception& e) {
    data_error("{}: not a basis: {}", (folder / index_name).string(), e.what());
  }
}

}  // namespace tsrun::gradient_svd
