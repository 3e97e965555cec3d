#pragma once

#include <array>
#include <cstdint>

namespace tsrun::philox {

/// Philox 4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw: Parallel random numbers, as easy as 1, 2, 3; SC 2011, section 4.3).
constexpr uint32_t multiplier_0 = 0xD2511F53u, multiplier_1 = 0xCD9E8D57u;
constexpr uint32_t weyl_0 = 0x9E3779B9u, weyl_1 = 0xBB67AE85u;
constexpr int rounds = 10;

constexpr std::array<uint32_t, 4> block(std::array<uint32_t, 4> counter, uint32_t key_0, uint32_t key_1) {
  for (int round = 0; round < rounds; ++round) {
    const uint64_t product_0 = uint64_t{multiplier_0} * counter[0], product_1 = uint64_t{multiplier_1} * counter[2];
    counter = {static_cast<uint32_t>(product_1 >> 32) ^ counter[1] ^ key_0, static_cast<uint32_t>(product_1),
               static_cast<uint32_t>(product_0 >> 32) ^ counter[3] ^ key_1, static_cast<uint32_t>(product_0)};
    key_0 += weyl_0;
    key_1 += weyl_1;
  }
  return counter;
}

}  // namespace tsrun::philox
