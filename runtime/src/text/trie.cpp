#include "text/trie.h"

#include <utility>

namespace tsrun {
namespace {

constexpr int kFirstBits = 10;

uint64_t edge_key(Trie::Node node, char byte) { return (uint64_t{node} << 8 | static_cast<unsigned char>(byte)) + 1; }

}  // namespace

Trie::Trie() : edges_(size_t{1} << kFirstBits), ids_{-1}, shift_(64 - kFirstBits) {}

/// The slot that holds `key`, or the free one where it belongs (Fibonacci hashing, linear probing; at most half full).
size_t Trie::slot(uint64_t key) const {
  const size_t mask = edges_.size() - 1;
  size_t at = (key * 0x9E3779B97F4A7C15u) >> shift_;
  while (edges_[at].key != 0 && edges_[at].key != key) at = (at + 1) & mask;
  return at;
}

void Trie::grow() {
  std::vector<Edge> old(edges_.size() * 2);
  std::swap(old, edges_);
  --shift_;
  for (const Edge& edge : old) {
    if (edge.key != 0) edges_[slot(edge.key)] = edge;
  }
}

void Trie::insert(std::string_view key, int32_t id) {
  Node node = kRoot;
  for (const char byte : key) {
    if (ids_.size() * 2 > edges_.size()) grow();
    Edge& edge = edges_[slot(edge_key(node, byte))];
    if (edge.key == 0) {
      edge = {edge_key(node, byte), static_cast<Node>(ids_.size())};
      ids_.push_back(-1);
    }
    node = edge.next;
  }
  ids_[node] = id;
}

Trie::Match Trie::longest(std::string_view text, Node from) const {
  Match match;
  Node node = from;
  for (size_t at = 0; at < text.size(); ++at) {
    const Edge& edge = edges_[slot(edge_key(node, text[at]))];
    if (edge.key == 0) break;
    node = edge.next;
    if (ids_[node] >= 0) match = {ids_[node], at + 1};
  }
  return match;
}

std::optional<Trie::Node> Trie::find(std::string_view path) const {
  Node node = kRoot;
  for (const char byte : path) {
    const Edge& edge = edges_[slot(edge_key(node, byte))];
    if (edge.key == 0) return std::nullopt;
    node = edge.next;
  }
  return node;
}

}  // namespace tsrun
