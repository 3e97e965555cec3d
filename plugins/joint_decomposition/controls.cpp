#include "controls.h"

#include "decoder.h"
#include "facts.h"

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

namespace tsrun::joint_decomposition {
namespace {

constexpr double kept_ratio = 1e-6;  // of the largest singular value

/// `count` normal rows under key.split(row), each of length `length`.
at::Tensor drawn_rows(int64_t count, int64_t size, double length, Key key) {
  at::Tensor rows = at::empty({count, size}, at::kFloat);
  for (int64_t j = 0; j < count; ++j) {
    float* row = rows.mutable_data_ptr<float>() + j * size;
    fill_normal(key.split(static_cast<uint64_t>(j)), {row, static_cast<size_t>(size)});
    const double norm = std::sqrt(gram(Rows{{row}, RowType::float32, size})(0, 0));
    rows.select(0, j).mul_(norm > 0 ? length / norm : 0.0);
  }
  return rows;
}

/// Pooled solutions: number i of a task joins the members' solutions i (modulo how many a member has).
struct Pool {
  std::vector<Rows> members;    ///< rows of one member, in the order of `firsts`
  std::vector<int64_t> firsts;  ///< row of each task's first solution
  std::vector<double> scales;   ///< what a member's rows are divided by
};

Pool pool_of(const JointInputs& inputs) {
  Pool pool;
  for (const JointMember& member : inputs.members) pool.members.push_back({{}, RowType::float32, member.parameters.layout.total()});
  for (size_t t = 0; t < inputs.members[0].deltas.size(); ++t) {
    size_t most = 0;
    for (const JointMember& member : inputs.members) most = std::max(most, member.deltas[t].size());
    pool.firsts.push_back(pool.members[0].count());
    for (size_t i = 0; i < most; ++i)
      for (size_t m = 0; m < inputs.members.size(); ++m) {
        const auto& solutions = inputs.members[m].deltas[t];
        pool.members[m].data.push_back(solutions[i % solutions.size()].const_data_ptr<float>());
      }
  }
  return pool;
}

/// Gram matrix of the pooled vectors with every member scaled to mean square length 1 / members.
SmallMatrix pooled_gram(const JointInputs& inputs, Pool& pool) {
  const int64_t rows = pool.members[0].count();
  SmallMatrix sum(rows, rows);
  for (size_t m = 0; m < pool.members.size(); ++m) {
    check_interrupt();
    const SmallMatrix own = gram(pool.members[m]);
    double energy = 0;
    for (int64_t r = 0; r < rows; ++r) energy += own(r, r);
    if (!(energy > 0))
      user_error("joint_decomposition: every solution of '{}' equals its start, so nothing can be decomposed", inputs.members[m].name);
    pool.scales.push_back(std::sqrt(energy * static_cast<double>(pool.members.size()) / static_cast<double>(rows)));
    for (size_t i = 0; i < own.values.size(); ++i) sum.values[i] += own.values[i] / (pool.scales[m] * pool.scales[m]);
  }
  return sum;
}

int64_t directions_kept(const EigenDecomposition& eigen, int64_t dim) {
  int64_t rank = 0;
  const double largest = eigen.values.empty() ? 0 : eigen.values[0];
  while (rank < static_cast<int64_t>(eigen.values.size()) && eigen.values[static_cast<size_t>(rank)] > kept_ratio * kept_ratio * largest)
    ++rank;
  return std::min(rank, dim);
}

/// U_j = Σ_r Q(r, j) / σ_j · δ_r: the member's part of singular vector j, in the member's own scale.
at::Tensor pca_columns(const Rows& rows, const EigenDecomposition& eigen, int64_t kept) {
  SmallMatrix matrix(kept, rows.count());
  at::Tensor columns = at::empty({kept, rows.columns}, at::kFloat);
  std::vector<float*> out;
  for (int64_t j = 0; j < kept; ++j) {
    for (int64_t r = 0; r < rows.count(); ++r) matrix(j, r) = eigen.vectors(r, j) / std::sqrt(eigen.values[static_cast<size_t>(j)]);
    out.push_back(columns.mutable_data_ptr<float>() + j * rows.columns);
  }
  combine(matrix, rows, out);
  return columns;
}

at::Tensor pca_codes(const Pool& pool, const EigenDecomposition& eigen, int64_t kept) {
  const auto tasks = static_cast<int64_t>(pool.firsts.size()), members = static_cast<int64_t>(pool.members.size());
  at::Tensor codes = at::empty({tasks, members, kept}, at::kFloat);
  auto* out = codes.mutable_data_ptr<float>();
  for (const int64_t row : pool.firsts)
    for (int64_t m = 0; m < members; ++m)
      for (int64_t j = 0; j < kept; ++j)
        *out++ = static_cast<float>(eigen.vectors(row, j) * std::sqrt(eigen.values[static_cast<size_t>(j)]));
  return codes;
}

}  // namespace

JointResult draw_decoders(const JointInputs& inputs, const Settings& settings) {
  JointResult result;
  for (const JointMember& member : inputs.members) {
    check_interrupt();
    const Key key = inputs.key.split("drawn").split(member.name);
    at::Tensor columns = drawn_rows(settings.dim, member.parameters.layout.total(), settings.column_length, key.split("decoder"));
    at::Tensor hidden = settings.tanh_decoder ? drawn_rows(settings.dim, settings.dim, 1, key.split("hidden")) : at::Tensor();
    const nlohmann::json facts = {
        {"fit", "random"}, {"member", member.name}, {"column_length", settings.column_length}, {"key", key.words()}};
    result.decoders.push_back(
        std::make_unique<Decoder>(member.parameters, std::move(columns), std::move(hidden), facts, /*regenerated=*/true));
  }
  result.description = member_facts(inputs);
  result.description["options"] = settings.shown;
  return result;
}

JointResult joint_pca(const JointInputs& inputs, const Settings& settings) {
  if (settings.tanh_decoder) user_error("joint_decomposition: fit = pca makes linear decoders; decoder = tanh needs fit = train or random");
  Pool pool = pool_of(inputs);
  const EigenDecomposition eigen = symmetric_eigen(pooled_gram(inputs, pool));
  const int64_t kept = directions_kept(eigen, settings.dim);
  JointResult result;
  for (size_t m = 0; m < inputs.members.size(); ++m) {
    check_interrupt();
    const nlohmann::json facts = {{"fit", "pca"}, {"member", inputs.members[m].name}, {"rank", kept}, {"scale", pool.scales[m]}};
    result.decoders.push_back(std::make_unique<Decoder>(inputs.members[m].parameters, pca_columns(pool.members[m], eigen, kept),
                                                        at::Tensor(), facts, /*regenerated=*/false));
  }
  result.codes = pca_codes(pool, eigen, kept);
  std::vector<double> singular;
  for (const double value : eigen.values) singular.push_back(std::sqrt(std::max(0.0, value)));
  result.description = member_facts(inputs);
  result.description.update({{"options", settings.shown},
                             {"dim", kept},
                             {"singular_values", singular},
                             {"reconstruction_error", reconstruction_errors(inputs, result.decoders, result.codes)}});
  return result;
}

}  // namespace tsrun::joint_decomposition
