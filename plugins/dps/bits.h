#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

/// Masks at one bit an element.
namespace tsrun::dps {

/// uint8 [ceil(elements / 8)] of a bool tensor; the lowest bit first.
at::Tensor pack_bits(const at::Tensor& mask);
/// Inverse of `pack_bits`. @throws Error(data) when `bits` is too short for `shape`
at::Tensor unpack_bits(const at::Tensor& bits, at::IntArrayRef shape);
/// Elements that are set.
int64_t count_ones(const at::Tensor& bits);
/// Elements that differ.
int64_t count_differences(const at::Tensor& bits, const at::Tensor& others);

}  // namespace tsrun::dps
