#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tsrun::text {

/// Learns the merges of a byte-pair encoding. Words are sequences of symbols with counts; each step joins the most frequent pair of
/// neighbours, of equals the one with the smallest ids. A pair that spells a token which is there already gets that token's id.
class PairMerger {
 public:
  /// `tokens`: spelling of each symbol by id.
  explicit PairMerger(std::vector<std::string> tokens);
  void add_word(std::vector<int32_t> symbols, int64_t count);
  /// Merges until there are `most` tokens or no pair occurs `least` times.
  void merge(size_t most, int64_t least);

  const std::vector<std::string>& tokens() const { return tokens_; }
  /// Pairs of spellings in the order of their merges.
  const std::vector<std::pair<std::string, std::string>>& merges() const { return merges_; }

 private:
  using Pair = uint64_t;  ///< left id in the upper half
  struct Word {
    std::vector<int32_t> symbols;
    int64_t count = 0;
  };
  /// A pair with its count when it was queued, and the words in which it may occur.
  struct Candidate {
    Pair pair = 0;
    int64_t count = 0;
    std::vector<int32_t> words;
    bool operator<(const Candidate& other) const { return count != other.count ? count < other.count : pair > other.pair; }
  };

  static Pair pair_of(int32_t left, int32_t right) { return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right); }
  void queue(Candidate candidate);
  Candidate next();
  void queue_new_pairs();
  int32_t joined(Pair pair);
  void merge_in(int32_t number, Pair pair, int32_t token);
  void change(int32_t left, int32_t right, int64_t by, int32_t word);

  std::vector<std::string> tokens_;
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<std::pair<std::string, std::string>> merges_;
  std::vector<Word> words_;
  std::unordered_map<Pair, int64_t> counts_;
  std::map<Pair, std::vector<int32_t>> grown_;  ///< pairs that a step made more frequent, with the words where it did
  std::vector<Candidate> queue_;                ///< a heap
};

}  // namespace tsrun::text
