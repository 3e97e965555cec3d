#include "tsrun/geometry/frequency.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <numeric>

namespace tsrun {
namespace {

/// Seen ids in the order of their ranks.
std::vector<int64_t> ranked(const std::vector<int64_t>& occurrences) {
  std::vector<int64_t> ids(occurrences.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::erase_if(ids, [&](int64_t id) { return occurrences[static_cast<size_t>(id)] == 0; });
  std::stable_sort(ids.begin(), ids.end(),
                   [&](int64_t a, int64_t b) { return occurrences[static_cast<size_t>(a)] > occurrences[static_cast<size_t>(b)]; });
  return ids;
}

/// Of the ranks behind `before` up to `last`.
FrequencyBucket bucket_of(const std::vector<int64_t>& occurrences, const std::vector<int64_t>& ids, int64_t before, int64_t last) {
  FrequencyBucket bucket;
  bucket.first_rank = before + 1;
  bucket.last_rank = last;
  bucket.name = last == before + 1 ? fmt::format("rank {}", last) : fmt::format("ranks {} to {}", before + 1, last);
  bucket.ids.assign(ids.begin() + before, ids.begin() + last);
  for (const int64_t id : bucket.ids) bucket.occurrences += occurrences[static_cast<size_t>(id)];
  return bucket;
}

FrequencyBucket unseen_bucket(const std::vector<int64_t>& occurrences) {
  FrequencyBucket bucket;
  bucket.name = "never seen";
  for (size_t id = 0; id < occurrences.size(); ++id)
    if (occurrences[id] == 0) bucket.ids.push_back(static_cast<int64_t>(id));
  return bucket;
}

}  // namespace

std::vector<int64_t> occurrences_of(const EncodedSplit& split, int64_t vocabulary) {
  std::vector<int64_t> occurrences(static_cast<size_t>(vocabulary), 0);
  const auto add = [&](const std::vector<int64_t>& ids) {
    for (const int64_t id : ids)
      if (id >= 0 && id < vocabulary) ++occurrences[static_cast<size_t>(id)];
  };
  for (const Encoding& row : split.rows) add(row.ids);
  for (const auto& row : split.decoder_rows) add(row);
  return occurrences;
}

std::vector<FrequencyBucket> frequency_buckets(const std::vector<int64_t>& occurrences, const std::vector<int64_t>& last_ranks) {
  const std::vector<int64_t> ids = ranked(occurrences);
  const auto seen = static_cast<int64_t>(ids.size());
  std::vector<FrequencyBucket> buckets;
  int64_t before = 0;
  for (const int64_t rank : last_ranks) {
    if (rank <= before) user_error("ranks of frequency: {} behind {}, expected ranks that ascend from 1", rank, before);
    if (before < seen) buckets.push_back(bucket_of(occurrences, ids, before, std::min(rank, seen)));
    before = rank;
  }
  if (before < seen) buckets.push_back(bucket_of(occurrences, ids, before, seen));
  if (FrequencyBucket unseen = unseen_bucket(occurrences); !unseen.ids.empty()) buckets.push_back(std::move(unseen));
  return buckets;
}

std::vector<int64_t> equal_ranks(const std::vector<int64_t>& occurrences, int64_t count) {
  const auto seen = static_cast<int64_t>(occurrences.size()) - std::count(occurrences.begin(), occurrences.end(), 0);
  std::vector<int64_t> last_ranks;
  for (int64_t i = 1; i <= count; ++i) {
    const int64_t rank = seen * i / count;
    if (rank > (last_ranks.empty() ? 0 : last_ranks.back())) last_ranks.push_back(rank);
  }
  return last_ranks;
}

std::vector<int64_t> thinned(const std::vector<int64_t>& list, int64_t most) {
  const auto size = static_cast<int64_t>(list.size());
  if (size <= most) return list;
  std::vector<int64_t> result;
  for (int64_t i = 0; i < most; ++i) result.push_back(list[static_cast<size_t>(i * size / most)]);
  return result;
}

}  // namespace tsrun
