#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// Diversity of generated texts, given as sequences of words or tokens.
namespace tsrun {

using Sequence = std::vector<std::string>;

/// What the number of different n-grams is divided by.
enum class DistinctOver {
  tokens,  ///< all words or tokens, as Li et al. (NAACL 2016) write it
  ngrams   ///< all n-grams, as much code does: 1 where none occurs twice
};

/// distinct-n: different n-grams of all texts together, over their tokens or n-grams; 0 without any. `n` is at least 1.
double distinct(std::span<const Sequence> texts, int64_t n, DistinctOver over = DistinctOver::tokens);

/// seq-rep-n of Welleck et al. (ICLR 2020): the share of a text's n-grams that occurred before in it, 1 − |different n-grams| / |n-grams|,
/// averaged over the texts that have an n-gram; 0 without any.
double repetition(std::span<const Sequence> texts, int64_t n = 4);

}  // namespace tsrun
