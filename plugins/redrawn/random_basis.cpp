#include "random_basis.h"

#include "tsrun/base/parallel.h"

#include <algorithm>
#include <cmath>

namespace tsrun::redrawn {
namespace {

constexpr size_t chunk_size = 1 << 14;  // normals that are drawn at once, and stay in the cache

/// A range of a compartment's gradient.
struct Chunk {
  size_t compartment, begin, size;
};

std::vector<Chunk> chunks_of(const std::vector<Compartment>& compartments) {
  std::vector<Chunk> chunks;
  for (size_t c = 0; c < compartments.size(); ++c)
    for (size_t begin = 0; begin < compartments[c].gradient.size(); begin += chunk_size)
      chunks.push_back({c, begin, std::min(chunk_size, compartments[c].gradient.size() - begin)});
  return chunks;
}

void over_chunks(size_t count, const std::function<void(size_t)>& body) {
  parallel_for(static_cast<int64_t>(count), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) body(static_cast<size_t>(i));
  });
}

/// For every direction, its product with the gradient and its squared length.
using Products = std::vector<std::pair<double, double>>;

Products products_within(const Compartment& compartment, const Chunk& chunk, int64_t dim) {
  std::vector<float> normals(chunk.size);
  Products products;
  const float* g = compartment.gradient.data() + chunk.begin;
  for (int64_t k = 0; k < dim; ++k) {
    fill_normal(compartment.key.split(static_cast<uint64_t>(k)), normals, chunk.begin);
    double product = 0, square = 0;
    for (size_t i = 0; i < chunk.size; ++i) {
      product += static_cast<double>(normals[i]) * g[i];
      square += static_cast<double>(normals[i]) * normals[i];
    }
    products.emplace_back(product, square);
  }
  return products;
}

double rescaling(size_t size, const BasisShape& shape) {
  return shape.rescale ? static_cast<double>(size) / static_cast<double>(shape.dim) : 1;
}

/// Factors of the unscaled directions: ⟨φ, g⟩ / |φ|², with √D for |φ| unless the length is exact.
std::vector<float> factors_of(const Products& products, size_t size, const BasisShape& shape) {
  std::vector<float> factors;
  const double more = rescaling(size, shape);
  for (const auto& [product, square] : products)
    factors.push_back(static_cast<float>(more * product / (shape.exact_length ? square : static_cast<double>(size))));
  return factors;
}

Kept replace_chunk(const Compartment& compartment, const Chunk& chunk, const std::vector<float>& factors, double more) {
  std::vector<float> normals(chunk.size), sum(chunk.size, 0.0f);
  for (size_t k = 0; k < factors.size(); ++k) {
    fill_normal(compartment.key.split(static_cast<uint64_t>(k)), normals, chunk.begin);
    for (size_t i = 0; i < chunk.size; ++i) sum[i] += factors[k] * normals[i];
  }
  Kept kept;
  float* g = compartment.gradient.data() + chunk.begin;
  for (size_t i = 0; i < chunk.size; ++i) {
    kept.before += static_cast<double>(g[i]) * g[i];
    kept.after += static_cast<double>(sum[i]) * sum[i];
    g[i] = sum[i];
  }
  kept.after /= more * more;
  return kept;
}

}  // namespace

Kept project_onto_random(const std::vector<Compartment>& compartments, const BasisShape& shape) {
  const auto chunks = chunks_of(compartments);
  std::vector<Products> parts(chunks.size());
  over_chunks(chunks.size(), [&](size_t i) { parts[i] = products_within(compartments[chunks[i].compartment], chunks[i], shape.dim); });
  std::vector<Products> sums(compartments.size(), Products(static_cast<size_t>(shape.dim)));
  for (size_t i = 0; i < chunks.size(); ++i)
    for (size_t k = 0; k < parts[i].size(); ++k) {
      sums[chunks[i].compartment][k].first += parts[i][k].first;
      sums[chunks[i].compartment][k].second += parts[i][k].second;
    }
  std::vector<std::vector<float>> factors;
  for (size_t c = 0; c < compartments.size(); ++c) factors.push_back(factors_of(sums[c], compartments[c].gradient.size(), shape));
  std::vector<Kept> kept(chunks.size());
  over_chunks(chunks.size(), [&](size_t i) {
    const size_t c = chunks[i].compartment;
    kept[i] = replace_chunk(compartments[c], chunks[i], factors[c], rescaling(compartments[c].gradient.size(), shape));
  });
  Kept all;
  for (const Kept& part : kept) all.before += part.before, all.after += part.after;
  return all;
}

}  // namespace tsrun::redrawn
