#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tsrun::text {

/// A map from byte strings to ids that finds the longest key at the start of a text in one walk. Edges live in one open-addressing
/// table, so building and searching allocate nothing per key or character.
class Trie {
 public:
  using Node = uint32_t;
  struct Match {
    int32_t id = -1;    ///< -1: no key
    size_t length = 0;  ///< bytes
  };
  static constexpr Node kRoot = 0;

  Trie();
  void insert(std::string_view key, int32_t id);  ///< a later id replaces an earlier one
  /// Longest non-empty path below `from` that ends at a key.
  Match longest(std::string_view text, Node from = kRoot) const;
  /// Calls `visit(id, length)` for every key at the start of `text`, the shortest first.
  template <class Visit>
  void each_prefix(std::string_view text, Visit&& visit) const {
    Node node = kRoot;
    for (size_t at = 0; at < text.size(); ++at) {
      const Edge& edge = edges_[slot(edge_key(node, text[at]))];
      if (edge.key == 0) return;
      node = edge.next;
      if (ids_[node] >= 0) visit(ids_[node], at + 1);
    }
  }
  std::optional<Node> find(std::string_view path) const;
  int32_t id_at(Node node) const { return ids_[node]; }  ///< -1: no key ends here

 private:
  struct Edge {
    uint64_t key = 0;  ///< node * 256 + byte + 1; 0: free
    Node next = 0;
  };
  static uint64_t edge_key(Node node, char byte) { return (uint64_t{node} << 8 | static_cast<unsigned char>(byte)) + 1; }

  /// The slot that holds `key`, or the free one where it belongs (Fibonacci hashing, linear probing; at most half full).
  size_t slot(uint64_t key) const {
    const size_t mask = edges_.size() - 1;
    size_t at = (key * 0x9E3779B97F4A7C15u) >> shift_;
    while (edges_[at].key != 0 && edges_[at].key != key) at = (at + 1) & mask;
    return at;
  }
  void grow();

  std::vector<Edge> edges_;
  std::vector<int32_t> ids_;
  int shift_;
};

}  // namespace tsrun::text
