#include "text/pair_merger.h"

#include <algorithm>

namespace tsrun::text {

PairMerger::PairMerger(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  for (size_t id = 0; id < tokens_.size(); ++id) ids_.emplace(tokens_[id], static_cast<int32_t>(id));
}

void PairMerger::add_word(std::vector<int32_t> symbols, int64_t count) {
  const auto number = static_cast<int32_t>(words_.size());
  for (size_t at = 0; at + 1 < symbols.size(); ++at) change(symbols[at], symbols[at + 1], count, number);
  words_.push_back({std::move(symbols), count});
}

void PairMerger::change(int32_t left, int32_t right, int64_t by, int32_t word) {
  const Pair pair = pair_of(left, right);
  counts_[pair] += by;
  if (by < 0) return;
  std::vector<int32_t>& words = grown_[pair];
  if (words.empty() || words.back() != word) words.push_back(word);
}

void PairMerger::queue(Candidate candidate) {
  queue_.push_back(std::move(candidate));
  std::push_heap(queue_.begin(), queue_.end());
}

PairMerger::Candidate PairMerger::next() {
  std::pop_heap(queue_.begin(), queue_.end());
  Candidate top = std::move(queue_.back());
  queue_.pop_back();
  return top;
}

void PairMerger::queue_new_pairs() {
  for (auto& [pair, words] : grown_)
    if (const int64_t count = counts_.at(pair); count > 0) queue({pair, count, std::move(words)});
  grown_.clear();
}

int32_t PairMerger::joined(Pair pair) {
  const std::string &left = tokens_[pair >> 32], &right = tokens_[pair & 0xFFFFFFFFu];
  merges_.emplace_back(left, right);
  const auto [place, is_new] = ids_.emplace(left + right, static_cast<int32_t>(tokens_.size()));
  if (is_new) tokens_.push_back(place->first);
  return place->second;
}

/// Counts of the pairs on both sides of every place where `pair` becomes `token`.
void PairMerger::merge_in(int32_t number, Pair pair, int32_t token) {
  auto& [symbols, count] = words_[static_cast<size_t>(number)];
  const auto left = static_cast<int32_t>(pair >> 32), right = static_cast<int32_t>(pair & 0xFFFFFFFFu);
  size_t kept = 0;
  for (size_t at = 0; at < symbols.size(); ++at) {
    if (symbols[at] != left || at + 1 >= symbols.size() || symbols[at + 1] != right) {
      symbols[kept++] = symbols[at];
      continue;
    }
    if (kept > 0) {
      change(symbols[kept - 1], left, -count, number);
      change(symbols[kept - 1], token, count, number);
    }
    ++at;
    if (at + 1 < symbols.size()) {
      change(right, symbols[at + 1], -count, number);
      change(token, symbols[at + 1], count, number);
    }
    symbols[kept++] = token;
  }
  symbols.resize(kept);
}

void PairMerger::merge(size_t most, int64_t least) {
  queue_new_pairs();
  while (tokens_.size() < most && !queue_.empty()) {
    Candidate top = next();
    if (const int64_t now = counts_.at(top.pair); top.count != now) {
      top.count = now;
      queue(std::move(top));
      continue;
    }
    if (top.count < std::max<int64_t>(1, least)) return;
    const int32_t token = joined(top.pair);
    for (const int32_t word : top.words) merge_in(word, top.pair, token);
    queue_new_pairs();
  }
}

}  // namespace tsrun::text
