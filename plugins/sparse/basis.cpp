#include "basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/parallel.h"
#include "tsrun/tune/key_file.h"
#include "tsrun/tune/stored_basis.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>

namespace tsrun::sparse {
namespace {

constexpr int64_t range = 1 << 17;  // parameters that one call of expand writes: they stay in the cache while the columns pass

float column_value(size_t entries) { return static_cast<float>(1 / std::sqrt(static_cast<double>(entries))); }

}  // namespace

Basis::Basis(ParameterSet parameters, int64_t dim, double density, Key key)
    : parameters_(std::move(parameters)),
      dim_(dim),
      density_(density),
      key_(key),
      dims_(parameters_.groups.size(), dim),
      offsets_(coordinate_offsets(dims_)) {
  Sha256 digest;
  for (const Group& group : parameters_.groups) {
    check_interrupt();
    if (dim > group.size() || group.size() > (int64_t{1} << 31))
      user_error("sparse: {} coordinates for group '{}' of {} parameters, expected at most that many", dim, group.name, group.size());
    const double share = density > 0 ? density : 1 / std::sqrt(static_cast<double>(group.size()));
    std::vector<Column> columns(static_cast<size_t>(dim));
    const Key own = key.split(group.name);
    parallel_for(dim, 1, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; ++k)
        columns[static_cast<size_t>(k)] = drawn(own.split(static_cast<uint64_t>(k)), group.size(), share);
    });
    for (const Column& column : columns) digest.update(std::as_bytes(std::span(column).first(std::min<size_t>(column.size(), 64))));
    columns_.push_back(std::move(columns));
  }
  digest_ = digest.hex();
}

/// Gaps between entries are geometric, so that only the entries are drawn.
Basis::Column Basis::drawn(Key key, int64_t size, double density) {
  Stream stream(key);
  Column column;
  const double scale = 1 / std::log1p(-density);  // 0 at density 1
  for (double position = -1;;) {
    position += 1 + std::floor(std::log1p(-stream.uniform()) * scale);
    if (position >= static_cast<double>(size)) break;
    column.push_back(static_cast<uint32_t>(position) * 2 + (stream.next() & 1));
  }
  if (column.empty()) column.push_back(static_cast<uint32_t>(stream.below(static_cast<uint64_t>(size))) * 2 + (stream.next() & 1));
  return column;
}

void Basis::expand_range(size_t g, std::span<const float> z, int64_t begin, int64_t end, float* out) const {
  for (size_t k = 0; k < z.size(); ++k) {
    const Column& column = columns_[g][k];
    const float values[2] = {z[k] * column_value(column.size()), -z[k] * column_value(column.size())};
    const auto limit = static_cast<uint32_t>(end);
    for (auto entry = std::lower_bound(column.begin(), column.end(), static_cast<uint32_t>(begin) * 2);
         entry != column.end() && *entry / 2 < limit; ++entry)
      out[*entry / 2] += values[*entry & 1];
  }
}

void Basis::expand(const at::Tensor& z, at::Tensor out) const {
  for (size_t g = 0; g < columns_.size(); ++g) {
    const auto mine = coordinates_of_group(z, offsets_, g);
    const auto part = floats_of_group(out, parameters_, g);
    const auto size = std::ssize(part);
    parallel_for((size + range - 1) / range, 1, [&](int64_t first, int64_t last) {
      for (int64_t r = first; r < last; ++r) expand_range(g, mine, r * range, std::min(size, (r + 1) * range), part.data());
    });
  }
}

at::Tensor Basis::project(const at::Tensor& /*z*/, const at::Tensor& g) const {
  at::Tensor result = at::empty({dim()}, at::kFloat);
  for (size_t group = 0; group < columns_.size(); ++group) {
    const auto part = read_floats_of_group(g, parameters_, group);
    float* out = result.data_ptr<float>() + offsets_[group];
    parallel_for(dim_, 1, [&](int64_t first, int64_t last) {
      for (int64_t k = first; k < last; ++k) {
        const Column& column = columns_[group][static_cast<size_t>(k)];
        double sum = 0;
        for (const uint32_t entry : column) sum += (entry & 1) != 0 ? -part[entry / 2] : part[entry / 2];
        out[k] = static_cast<float>(sum) * column_value(column.size());
      }
    });
  }
  return result;
}

nlohmann::json Basis::describe() const {
  nlohmann::json groups = nlohmann::json::array();
  for (size_t g = 0; g < columns_.size(); ++g) {
    int64_t entries = 0;
    for (const Column& column : columns_[g]) entries += std::ssize(column);
    const Group& group = parameters_.groups[g];
    groups.push_back({{"name", group.name}, {"size", group.size()}, {"dim", dim_}, {"entries", entries}});
  }
  return {{"density", density_}, {"digest", digest_}, {"groups", groups}};
}

void Basis::save(const std::filesystem::path& folder) const {
  save_key(folder, parameters_, key_, {{"dim", dim_}, {"density", density_}}, digest_);
}

}  // namespace tsrun::sparse
