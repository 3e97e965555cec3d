#include "text/pair_table.h"

#include <algorithm>
#include <bit>
#include <queue>

namespace tsrun::text {
namespace {

constexpr size_t kShort = 48;  ///< symbols up to which looking at every neighbour is faster than a heap

/// Few symbols: look at all neighbours for each merge.
void merge_short(const PairTable& merges, std::vector<int32_t>& symbols) {
  PairTable::Merge found[kShort];
  size_t count = symbols.size();
  const auto look = [&](size_t at) { found[at] = merges.find(symbols[at], symbols[at + 1]); };
  for (size_t at = 0; at + 1 < count; ++at) look(at);
  while (count > 1) {
    size_t best = 0;
    for (size_t at = 1; at + 1 < count; ++at)
      if (found[at].rank < found[best].rank) best = at;
    if (found[best].rank == PairTable::kNoRank) break;
    symbols[best] = found[best].id;
    for (size_t at = best + 1; at + 1 < count; ++at) {
      symbols[at] = symbols[at + 1];
      found[at] = found[at + 1];
    }
    --count;
    if (best > 0) look(best - 1);
    if (best + 1 < count) look(best);
  }
  symbols.resize(count);
}

/// Many symbols: a list of neighbours and a heap of the merges that wait. A waiting merge whose symbols have changed is dropped.
class LongMerge {
 public:
  LongMerge(const PairTable& merges, std::vector<int32_t>& symbols) : merges_(merges), symbols_(symbols) {
    const auto count = static_cast<uint32_t>(symbols.size());
    links_.resize(count);
    for (uint32_t at = 0; at < count; ++at) links_[at] = {at - 1, at + 1};
    for (uint32_t at = 0; at + 1 < count; ++at) wait(at);
  }

  void run() {
    while (!waiting_.empty()) {
      const Waiting next = waiting_.top();
      waiting_.pop();
      const uint32_t right = links_[next.at].after;
      if (symbols_[next.at] != next.left || right >= end() || symbols_[right] != next.right) continue;
      join(next, right);
    }
    symbols_.erase(std::remove(symbols_.begin(), symbols_.end(), kGone), symbols_.end());
  }

 private:
  static constexpr int32_t kGone = -1;
  struct Link {
    uint32_t before, after;
  };
  struct Waiting {
    int32_t rank;
    uint32_t at;
    int32_t left, right, joined;
    bool operator<(const Waiting& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
  };

  uint32_t end() const { return static_cast<uint32_t>(symbols_.size()); }

  void wait(uint32_t at) {
    const uint32_t right = links_[at].after;
    if (right >= end()) return;
    const PairTable::Merge merge = merges_.find(symbols_[at], symbols_[right]);
    if (merge.id >= 0) waiting_.push({merge.rank, at, symbols_[at], symbols_[right], merge.id});
  }

  void join(const Waiting& merge, uint32_t right) {
    symbols_[merge.at] = merge.joined;
    symbols_[right] = kGone;
    links_[merge.at].after = links_[right].after;
    if (links_[right].after < end()) links_[links_[right].after].before = merge.at;
    if (merge.at > 0) wait(links_[merge.at].before);
    wait(merge.at);
  }

  const PairTable& merges_;
  std::vector<int32_t>& symbols_;
  std::vector<Link> links_;
  std::priority_queue<Waiting> waiting_;
};

}  // namespace

PairTable::PairTable(size_t count) : slots_(std::bit_ceil(std::max<size_t>(count * 2, 8))), shift_(64 - std::countr_zero(slots_.size())) {}

void PairTable::insert(int32_t left, int32_t right, Merge merge) { slots_[place(key_of(left, right))] = {key_of(left, right), merge}; }

void merge_symbols(const PairTable& merges, std::vector<int32_t>& symbols) {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kShort) return merge_short(merges, symbols);
  LongMerge(merges, symbols).run();
}

}  // namespace tsrun::text
