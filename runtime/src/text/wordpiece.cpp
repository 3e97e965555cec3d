#include "text/wordpiece.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <utility>

namespace tsrun::text {

WordPiece::WordPiece(WordPieceParts parts, const std::string& where) : parts_(std::move(parts)) {
  for (size_t id = 0; id < parts_.vocabulary.size(); ++id)
    if (!parts_.vocabulary[id].empty()) tokens_.insert(parts_.vocabulary[id], static_cast<int32_t>(id));
  if (const auto node = tokens_.find(parts_.continuation)) continuation_ = *node;
  unknown_ = find(parts_.unknown);
  if (unknown_ < 0)
    data_error("{}: found no unknown token '{}' among {} tokens, expected one{}", where, parts_.unknown, parts_.vocabulary.size(),
               did_you_mean(parts_.unknown, parts_.vocabulary));
}

int32_t WordPiece::find(std::string_view token) const {
  const auto node = token.empty() ? std::nullopt : tokens_.find(token);
  return node ? tokens_.id_at(*node) : -1;
}

bool WordPiece::is_too_long(std::string_view word) const {
  if (static_cast<int64_t>(word.size()) <= parts_.max_characters) return false;
  const auto trails = std::count_if(word.begin(), word.end(), [](char c) { return U8_IS_TRAIL(static_cast<unsigned char>(c)); });
  return static_cast<int64_t>(word.size()) - trails > parts_.max_characters;
}

/// Both sides are well-formed UTF-8, so a match of bytes ends between characters.
void WordPiece::encode(std::string_view piece, std::vector<int64_t>& ids) const {
  if (is_too_long(piece)) return ids.push_back(unknown_);
  const size_t before = ids.size();
  std::optional<Trie::Node> from = Trie::kRoot;
  while (!piece.empty()) {
    const Trie::Match match = from ? tokens_.longest(piece, *from) : Trie::Match{};
    if (match.id < 0) {
      ids.resize(before);
      return ids.push_back(unknown_);
    }
    ids.push_back(match.id);
    piece.remove_prefix(match.length);
    from = continuation_;
  }
}

nlohmann::json WordPiece::json() const {
  nlohmann::json vocabulary = nlohmann::json::object();
  for (size_t id = 0; id < parts_.vocabulary.size(); ++id)
    if (!parts_.vocabulary[id].empty()) vocabulary[parts_.vocabulary[id]] = id;
  return {{"type", "WordPiece"},
          {"unk_token", parts_.unknown},
          {"continuing_subword_prefix", parts_.continuation},
          {"max_input_chars_per_word", parts_.max_characters},
          {"vocab", std::move(vocabulary)}};
}

}  // namespace tsrun::text
