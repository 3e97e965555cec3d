#include "text/trie.h"

#include <utility>

namespace tsrun::text {
namespace {

constexpr int kFirstBits = 10;

}  // namespace

Trie::Trie() : edges_(size_t{1} << kFirstBits), ids_{-1}, shift_(64 - kFirstBits) {}

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

}  // namespace tsrun::text
