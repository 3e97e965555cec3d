#include "bits.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tsrun::dps {
namespace {

static_assert(std::endian::native == std::endian::little, "eight bools as one number");

/// The next eight bytes, zero behind the last of `count`.
uint64_t eight_bytes(const void* from, int64_t count) {
  uint64_t word = 0;
  std::memcpy(&word, from, static_cast<size_t>(std::min<int64_t>(8, count)));
  return word;
}

/// Bit i is byte i of eight bools: the product moves each to the highest byte, and no two sums meet.
uint8_t packed(uint64_t bools) { return static_cast<uint8_t>((bools * 0x0102040810204080U) >> 56); }

/// Byte i is bit i: copies of the byte, of which each keeps its bit, and any bit carries into the highest.
uint64_t unpacked(uint8_t bits) {
  const uint64_t kept = (bits * 0x0101010101010101U) & 0x8040201008040201U;
  return ((kept + 0x7F7F7F7F7F7F7F7FU) >> 7) & 0x0101010101010101U;
}

}  // namespace

at::Tensor pack_bits(const at::Tensor& mask) {
  const at::Tensor bools = mask.to(at::kCPU).contiguous();
  const int64_t count = bools.numel();
  at::Tensor bits = at::empty({(count + 7) / 8}, at::kByte);
  const bool* from = bools.const_data_ptr<bool>();
  auto* to = bits.mutable_data_ptr<uint8_t>();
  for (int64_t i = 0; i < count; i += 8) to[i / 8] = packed(eight_bytes(from + i, count - i));
  return bits;
}

at::Tensor unpack_bits(const at::Tensor& bits, at::IntArrayRef shape) {
  at::Tensor mask = at::empty(shape, at::kBool);
  const int64_t count = mask.numel();
  if (bits.numel() != (count + 7) / 8) data_error("dps: a mask of {} bytes, expected {}", bits.numel(), (count + 7) / 8);
  const auto* from = bits.const_data_ptr<uint8_t>();
  bool* to = mask.mutable_data_ptr<bool>();
  for (int64_t i = 0; i < count; i += 8) {
    const uint64_t eight = unpacked(from[i / 8]);
    std::memcpy(to + i, &eight, static_cast<size_t>(std::min<int64_t>(8, count - i)));
  }
  return mask;
}

int64_t count_ones(const at::Tensor& bits) {
  const auto* bytes = bits.const_data_ptr<uint8_t>();
  int64_t count = 0;
  for (int64_t i = 0; i < bits.numel(); i += 8) count += std::popcount(eight_bytes(bytes + i, bits.numel() - i));
  return count;
}

int64_t count_differences(const at::Tensor& bits, const at::Tensor& others) {
  const auto* a = bits.const_data_ptr<uint8_t>();
  const auto* b = others.const_data_ptr<uint8_t>();
  int64_t count = 0;
  for (int64_t i = 0; i < bits.numel(); i += 8)
    count += std::popcount(eight_bytes(a + i, bits.numel() - i) ^ eight_bytes(b + i, bits.numel() - i));
  return count;
}

}  // namespace tsrun::dps
