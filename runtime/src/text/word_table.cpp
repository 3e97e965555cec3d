#include "text/word_table.h"

#include <cstring>
#include <utility>

namespace tsrun::text {
namespace {

constexpr uint64_t kOdd = 0x9E3779B97F4A7C15u;

/// Eight bytes at a time, each folded in by a multiplication.
uint64_t hash_of(std::string_view word) {
  uint64_t hash = word.size() * kOdd;
  const auto fold = [&](uint64_t part) {
    hash = (hash ^ part) * kOdd;
    hash ^= hash >> 29;
  };
  for (; word.size() >= 8; word.remove_prefix(8)) {
    uint64_t part;
    std::memcpy(&part, word.data(), sizeof part);
    fold(part);
  }
  uint64_t rest = 0;
  for (const char byte : word) rest = rest << 8 | static_cast<unsigned char>(byte);
  fold(rest);
  return hash * kOdd;
}

}  // namespace

WordTable::WordTable() : slots_(64) {}

size_t WordTable::place(std::string_view word, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  const auto mark = static_cast<uint32_t>(hash >> 32);
  size_t at = hash & mask;
  for (; slots_[at].id >= 0; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.mark == mark && slot.size == word.size() && std::memcmp(bytes_.data() + slot.begin, word.data(), word.size()) == 0) break;
  }
  return at;
}

void WordTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  std::swap(old, slots_);
  for (const Slot& slot : old) {
    if (slot.id < 0) continue;
    const std::string_view word(bytes_.data() + slot.begin, slot.size);
    slots_[place(word, hash_of(word))] = slot;
  }
}

void WordTable::insert(std::string_view word, int32_t id) {
  if (count_ * 2 >= slots_.size()) grow();
  const uint64_t hash = hash_of(word);
  Slot& slot = slots_[place(word, hash)];
  if (slot.id < 0) {
    slot.mark = static_cast<uint32_t>(hash >> 32);
    slot.begin = static_cast<uint32_t>(bytes_.size());
    slot.size = static_cast<uint32_t>(word.size());
    bytes_.append(word);
    ++count_;
  }
  slot.id = id;
}

int32_t WordTable::find(std::string_view word) const { return slots_[place(word, hash_of(word))].id; }

}  // namespace tsrun::text
