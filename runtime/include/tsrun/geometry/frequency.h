#pragma once

#include "tsrun/data/batch.h"

#include <cstdint>
#include <string>
#include <vector>

/// Words by their frequency in a text.
namespace tsrun {

/// Occurrences of every id from 0 to `vocabulary` − 1 in the rows of a split, the decoder's rows too. Other ids count for nothing.
std::vector<int64_t> occurrences_of(const EncodedSplit& split, int64_t vocabulary);

/// Words of neighbouring ranks. Rank 1 is the most frequent word; of equally frequent ones the smaller id comes first.
struct FrequencyBucket {
  std::string name;                       ///< "ranks 1 to 100", "never seen"
  int64_t first_rank = 0, last_rank = 0;  ///< 0 of words that were never seen
  int64_t occurrences = 0;                ///< of all of its words
  std::vector<int64_t> ids;               ///< in the order of their ranks; of words that were never seen, ascending
};
/// Buckets that end at `last_ranks` (ascending), one for the seen words behind them, and one for words that were never seen. Empty buckets
/// are left out. @throws Error(user) for ranks that do not ascend from 1
std::vector<FrequencyBucket> frequency_buckets(const std::vector<int64_t>& occurrences, const std::vector<int64_t>& last_ranks);
/// Last ranks of `count` buckets of equally many seen words (to one).
std::vector<int64_t> equal_ranks(const std::vector<int64_t>& occurrences, int64_t count);

/// At most `most` of `list`, evenly spaced from its first.
std::vector<int64_t> thinned(const std::vector<int64_t>& list, int64_t most);

}  // namespace tsrun
