#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tsrun {

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
  std::optional<Node> find(std::string_view path) const;
  int32_t id_at(Node node) const { return ids_[node]; }  ///< -1: no key ends here

 private:
  struct Edge {
    uint64_t key = 0;  ///< node * 256 + byte + 1; 0: free
    Node next = 0;
  };
  size_t slot(uint64_t key) const;
  void grow();

  std::vector<Edge> edges_;
  std::vector<int32_t> ids_;
  int shift_;
};

}  // namespace tsrun
