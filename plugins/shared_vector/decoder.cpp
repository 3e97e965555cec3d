#include "decoder.h"

#include "dense_map.h"
#include "fastfood.h"

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace tsrun::shared_vector {
namespace {

void check_vector(const at::Tensor& flat, int64_t expected, const char* what) {
  if (flat.numel() != expected || flat.scalar_type() != at::kFloat || !flat.is_cpu() || !flat.is_contiguous())
    internal_error("shared_vector: expected {} float32 {}, found {}", expected, what, flat.numel());
}

std::unique_ptr<TensorMap> make_map(const Shape& shape, int64_t size, Key key) {
  if (shape.fastfood) return std::make_unique<Fastfood>(size, shape.dim, key, shape.release_gradients);
  return std::make_unique<DenseMap>(size, shape.dim, key, shape.deviation, shape.bias);
}

}  // namespace

Decoder::Decoder(ParameterSet parameters, Shape shape, Key key, at::Tensor dropped)
    : parameters_(std::move(parameters)),
      shape_(shape),
      key_(key),
      dropped_(std::move(dropped)),
      dims_(parameters_.groups.size(), shape.dim) {
  if (dropped_.defined()) check_vector(dropped_, parameters_.layout.total(), "numbers of the origin");
  for (size_t g = 0; g < dims_.size(); ++g) add_parts(g);
  Sha256 digest;
  for (const Part& part : parts_) part.map->add_to(digest);
  digest_ = digest.hex();
}

void Decoder::add_parts(size_t group) {
  const Group& range = parameters_.groups[group];
  for (const Slice& slice : parameters_.layout.slices()) {
    const int64_t begin = std::max(range.begin, slice.offset), end = std::min(range.end, slice.offset + slice.size);
    if (begin >= end) continue;
    check_interrupt();
    const Key key = key_.split(slice.name).split(static_cast<uint64_t>(begin - slice.offset));
    parts_.push_back({group, begin, end - begin, make_map(shape_, end - begin, key)});
  }
}

std::span<const float> Decoder::coordinates(const at::Tensor& z, const Part& part) const {
  return {z.const_data_ptr<float>() + static_cast<int64_t>(part.group) * shape_.dim, static_cast<size_t>(shape_.dim)};
}

void Decoder::expand(const at::Tensor& z, at::Tensor out) const {
  check_vector(z, dim(), "coordinates");
  check_vector(out, parameters_.layout.total(), "weights");
  // First, so that θ0 + expand(z) leaves nothing of θ0 in θ.
  if (dropped_.defined()) out.sub_(dropped_);
  for (const Part& part : parts_)
    part.map->expand(coordinates(z, part), {out.data_ptr<float>() + part.begin, static_cast<size_t>(part.size)});
}

at::Tensor Decoder::project(const at::Tensor& /*z*/, const at::Tensor& g) const {
  check_vector(g, parameters_.layout.total(), "gradients");
  std::vector<double> sums(static_cast<size_t>(dim()), 0.0);
  const auto d = static_cast<size_t>(shape_.dim);
  for (const Part& part : parts_)
    part.map->project({g.const_data_ptr<float>() + part.begin, static_cast<size_t>(part.size)}, std::span(sums).subspan(part.group * d, d));
  at::Tensor result = at::empty({dim()}, at::kFloat);
  std::transform(sums.begin(), sums.end(), result.data_ptr<float>(), [](double value) { return static_cast<float>(value); });
  return result;
}

void Decoder::learn(const AdafactorRule& rule, const at::Tensor& z, const at::Tensor& g, std::span<double> out) {
  check_vector(g, parameters_.layout.total(), "gradients");
  const auto d = static_cast<size_t>(shape_.dim);
  for (Part& part : parts_)
    part.map->learn(rule, coordinates(z, part), {g.const_data_ptr<float>() + part.begin, static_cast<size_t>(part.size)},
                    out.subspan(part.group * d, d));
}

std::map<std::string, at::Tensor> Decoder::numbers() const {
  std::map<std::string, at::Tensor> all;
  for (size_t p = 0; p < parts_.size(); ++p)
    for (const Numbers& mine : parts_[p].map->numbers()) all[fmt::format("{:05}.{}", p, mine.name)] = mine.values;
  return all;
}

std::map<std::string, at::Tensor> Decoder::squares() {
  std::map<std::string, at::Tensor> all;
  for (size_t p = 0; p < parts_.size(); ++p)
    for (const Numbers& mine : parts_[p].map->squares()) all[fmt::format("{:05}.{}", p, mine.name)] = mine.values;
  return all;
}

void Decoder::settle() {
  trained_ = true;
  for (const Part& part : parts_) part.map->forget_squares();
}

int64_t Decoder::trained_numbers() const {
  int64_t count = 0;
  if (!trained_) return count;
  for (const auto& [name, values] : numbers()) count += values.numel();
  return count;
}

int64_t Decoder::bytes_shipped() const { return static_cast<int64_t>(sizeof(float)) * trained_numbers(); }

nlohmann::json Decoder::describe() const {
  nlohmann::json groups = nlohmann::json::array();
  for (const Group& group : parameters_.groups) groups.push_back({{"name", group.name}, {"size", group.size()}, {"dim", shape_.dim}});
  return {{"map", shape_.fastfood ? "fastfood" : "dense"},
          {"origin", dropped_.defined() ? "dropped" : "kept"},
          {"bias", shape_.bias},
          {"tensors", parts_.size()},
          {"trained_numbers", trained_numbers()},
          {"digest", digest_},
          {"groups", groups}};
}

}  // namespace tsrun::shared_vector
