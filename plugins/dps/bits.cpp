#include "bits.h"

#include "tsrun/base/error.h"

#include <ATen/ATen.h>

#include <bit>

namespace tsrun::dps {

at::Tensor pack_bits(const at::Tensor& mask) {
  const at::Tensor bools = mask.to(at::kCPU).contiguous();
  const int64_t count = bools.numel();
  at::Tensor bits = at::zeros({(count + 7) / 8}, at::kByte);
  const bool* from = bools.const_data_ptr<bool>();
  auto* to = bits.mutable_data_ptr<uint8_t>();
  for (int64_t i = 0; i < count; ++i) to[i / 8] = static_cast<uint8_t>(to[i / 8] | (unsigned{from[i]} << (i % 8)));
  return bits;
}

at::Tensor unpack_bits(const at::Tensor& bits, at::IntArrayRef shape) {
  at::Tensor mask = at::empty(shape, at::kBool);
  const int64_t count = mask.numel();
  if (bits.numel() != (count + 7) / 8) data_error("dps: a mask of {} bytes, expected {}", bits.numel(), (count + 7) / 8);
  const auto* from = bits.const_data_ptr<uint8_t>();
  bool* to = mask.mutable_data_ptr<bool>();
  for (int64_t i = 0; i < count; ++i) to[i] = (from[i / 8] >> (i % 8) & 1) != 0;
  return mask;
}

int64_t count_differences(const at::Tensor& bits, const at::Tensor& others) {
  const auto* a = bits.const_data_ptr<uint8_t>();
  const auto* b = others.const_data_ptr<uint8_t>();
  int64_t count = 0;
  for (int64_t i = 0; i < bits.numel(); ++i) count += std::popcount(static_cast<uint8_t>(a[i] ^ b[i]));
  return count;
}

}  // namespace tsrun::dps
