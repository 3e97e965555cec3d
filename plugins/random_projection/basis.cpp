#include "basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/memory.h"
#include "tsrun/base/parallel.h"
#include "tsrun/tune/key_file.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace tsrun::random_projection {
namespace {

constexpr int64_t hashed = 4096;  // numbers of each direction that enter the digest

Rows rows_of(const at::Tensor& directions) {
  Rows rows{{}, RowType::float32, directions.size(1)};
  for (int64_t k = 0; k < directions.size(0); ++k) rows.data.push_back(directions.const_data_ptr<float>() + k * directions.size(1));
  return rows;
}

void check(const at::Tensor& flat, int64_t expected, const char* what) {
  if (flat.numel() != expected || flat.scalar_type() != at::kFloat || !flat.is_cpu() || !flat.is_contiguous())
    internal_error("random_projection: expected {} float32 {}, found {}", expected, what, flat.numel());
}

}  // namespace

Basis::Basis(ParameterSet parameters, int64_t dim, Key key) : parameters_(std::move(parameters)), dim_(dim), key_(key) {
  Sha256 digest;
  for (const Group& group : parameters_.groups) {
    check_interrupt();
    dims_.push_back(std::min(dim_, group.size()));
    at::Tensor& directions = directions_.emplace_back(at::empty({dims_.back(), group.size()}, at::kFloat));
    prefer_large_pages(directions.mutable_data_ptr(), directions.nbytes());
    digest.update(fill_group(group, directions));
    rows_.push_back(rows_of(directions));
  }
  offsets_ = coordinate_offsets(dims_);
  digest_ = digest.hex();
}

std::string Basis::fill_group(const Group& group, at::Tensor& directions) const {
  const Key key = key_.split(group.name);
  const int64_t size = directions.size(1);
  std::vector<std::span<float>> rows;
  for (int64_t k = 0; k < directions.size(0); ++k) rows.emplace_back(directions.data_ptr<float>() + k * size, static_cast<size_t>(size));
  parallel_for(static_cast<int64_t>(rows.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t k = first; k < last; ++k) fill_normal(key.split(static_cast<uint64_t>(k)), rows[static_cast<size_t>(k)]);
  });
  Sha256 digest;
  for (const auto& row : rows) digest.update(std::as_bytes(row.first(static_cast<size_t>(std::min(size, hashed)))));
  if (const auto dropped = orthonormalise(rows); !dropped.empty())
    internal_error("random_projection: dependent directions in group '{}'", group.name);
  return digest.hex();
}

void Basis::compose(const at::Tensor& origin, const at::Tensor& z, at::Tensor out) const {
  check(origin, parameters_.layout.total(), "weights");
  check(z, offsets_.back(), "coordinates");
  check(out, parameters_.layout.total(), "weights");
  for (size_t g = 0; g < rows_.size(); ++g) {
    const Group& group = parameters_.groups[g];
    const float* mine = z.const_data_ptr<float>() + offsets_[g];
    const auto size = static_cast<size_t>(group.size());
    tsrun::combine_onto({origin.const_data_ptr<float>() + group.begin, size}, rows_[g], std::vector<double>(mine, mine + dims_[g]),
                        {out.data_ptr<float>() + group.begin, size});
  }
}

at::Tensor Basis::project(const at::Tensor& /*z*/, const at::Tensor& g) const {
  check(g, parameters_.layout.total(), "gradients");
  at::Tensor result = at::empty({offsets_.back()}, at::kFloat);
  for (size_t i = 0; i < rows_.size(); ++i) {
    const Group& group = parameters_.groups[i];
    const auto products = tsrun::dot_products(rows_[i], {g.const_data_ptr<float>() + group.begin, static_cast<size_t>(group.size())});
    std::transform(products.begin(), products.end(), result.data_ptr<float>() + offsets_[i],
                   [](double v) { return static_cast<float>(v); });
  }
  return result;
}

nlohmann::json Basis::describe() const {
  nlohmann::json groups = nlohmann::json::array();
  for (size_t g = 0; g < dims_.size(); ++g)
    groups.push_back({{"name", parameters_.groups[g].name},
                      {"size", parameters_.groups[g].size()},
                      {"dim", dims_[g]},
                      {"rank", dims_[g]},
                      {"dropped", 0}});
  return {{"distribution", "gaussian, orthonormalised"}, {"digest", digest_}, {"groups", groups}};
}

void Basis::save(const std::filesystem::path& folder) const { save_key(folder, parameters_, key_, {{"dim", dim_}}, digest_); }

}  // namespace tsrun::random_projection
