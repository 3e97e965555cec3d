#include "text/wordpiece.h"

#include "text/characters.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <utility>

namespace tsrun {
namespace {

BertNormalizer::Steps steps_of(const WordPieceOptions& options) {
  return {options.clean_text, options.split_cjk, options.strip_accents.value_or(options.lower_case), options.lower_case};
}

}  // namespace

WordPiece::WordPiece(WordPieceParts parts, const std::string& where) : parts_(std::move(parts)), normalizer_(steps_of(parts_.options)) {
  names_ = parts_.vocabulary;
  for (size_t id = 0; id < names_.size(); ++id) {
    if (!names_[id].empty()) vocabulary_.insert(names_[id], static_cast<int32_t>(id));
  }
  if (const auto node = vocabulary_.find(parts_.options.continuation)) continuation_ = *node;
  add_special_tokens();
  index_added_tokens();
  const WordPieceOptions& options = parts_.options;
  unknown_ = require(options.unknown, "unknown", where);
  rows_ = RowTemplate::bert(require(options.classifier, "classifier", where), require(options.separator, "separator", where));
}

/// The special tokens that the vocabulary holds are found in raw text, whatever the options say about other added tokens.
void WordPiece::add_special_tokens() {
  const WordPieceOptions& options = parts_.options;
  for (const std::string& content : {options.padding, options.unknown, options.classifier, options.separator, options.mask}) {
    const auto same = [&](const AddedToken& token) { return token.content == content; };
    if (std::any_of(parts_.added.begin(), parts_.added.end(), same)) continue;
    if (const auto known = id(content)) parts_.added.push_back({content, static_cast<int32_t>(*known)});
  }
}

void WordPiece::index_added_tokens() {
  std::vector<AddedToken> raw, normalized;
  for (const AddedToken& token : parts_.added) {
    const auto place = static_cast<size_t>(token.id);
    if (place >= names_.size()) names_.resize(place + 1);
    if (names_[place].empty()) names_[place] = token.content;
    added_ids_[token.content] = token.id;
    (token.normalized ? normalized : raw).push_back(token);
    if (token.normalized) normalized.back().content = normalizer_(token.content);
  }
  raw_ = AddedTokens(std::move(raw));
  normalized_ = AddedTokens(std::move(normalized));
}

int64_t WordPiece::require(const std::string& token, const std::string& role, const std::string& where) const {
  if (const auto known = id(token)) return *known;
  data_error("{}: found no {} token '{}' among {} tokens, expected one{}", where, role, token, names_.size(), did_you_mean(token, names_));
}

std::vector<int64_t> WordPiece::tokenize(std::string_view text) const {
  std::vector<int64_t> ids;
  ids.reserve(text.size() / 4 + 4);
  const auto push = [&](int32_t id) { ids.push_back(id); };
  const auto words = [&](std::string_view piece) { split_words(piece, ids); };
  raw_.split(
      text, [&](std::string_view piece) { normalized_.split(normalizer_(piece), words, push); }, push);
  return ids;
}

/// `text` is normalized. Words end at white space; a punctuation character is a word of its own.
void WordPiece::split_words(std::string_view text, std::vector<int64_t>& ids) const {
  const auto size = static_cast<int64_t>(text.size());
  int64_t word = 0, characters = 0;
  const auto finish = [&](int64_t end) {
    if (characters > 0) match_word(text.substr(static_cast<size_t>(word), static_cast<size_t>(end - word)), characters, ids);
    characters = 0;
  };
  for (int64_t at = 0; at < size;) {
    const int64_t start = at;
    UChar32 c;
    U8_NEXT_OR_FFFD(text.data(), at, size, c);
    const bool punctuation = bert::is_punctuation(c);
    if (!punctuation && !bert::is_whitespace(c)) {
      if (characters++ == 0) word = start;
      continue;
    }
    finish(start);
    if (punctuation) match_word(text.substr(static_cast<size_t>(start), static_cast<size_t>(at - start)), 1, ids);
  }
  finish(size);
}

/// Greedy longest match from the left. Both sides are well-formed UTF-8, so a match of bytes ends between characters.
void WordPiece::match_word(std::string_view word, int64_t characters, std::vector<int64_t>& ids) const {
  if (characters > parts_.options.max_characters_per_word) return ids.push_back(unknown_);
  const size_t before = ids.size();
  std::optional<Trie::Node> from = Trie::kRoot;
  while (!word.empty()) {
    const Trie::Match match = from ? vocabulary_.longest(word, *from) : Trie::Match{};
    if (match.id < 0) {
      ids.resize(before);
      return ids.push_back(unknown_);
    }
    ids.push_back(match.id);
    word.remove_prefix(match.length);
    from = continuation_;
  }
}

Encoding WordPiece::encode(std::string_view first, std::optional<std::string_view> second, std::optional<int64_t> max_length) const {
  if (!second) return fill(rows_, tokenize(first), nullptr, max_length);
  const std::vector<int64_t> ids = tokenize(*second);
  return fill(rows_, tokenize(first), &ids, max_length);
}

std::string WordPiece::token(int64_t id) const {
  if (id < 0 || id >= vocabulary_size()) internal_error("token id {} is outside the vocabulary of {}", id, vocabulary_size());
  return names_[static_cast<size_t>(id)];
}

std::optional<int64_t> WordPiece::id(std::string_view token) const {
  if (const auto added = added_ids_.find(std::string(token)); added != added_ids_.end()) return added->second;
  const auto node = token.empty() ? std::nullopt : vocabulary_.find(token);
  if (!node || vocabulary_.id_at(*node) < 0) return std::nullopt;
  return vocabulary_.id_at(*node);
}

std::unique_ptr<Tokenizer> make_wordpiece(std::vector<std::string> vocabulary, WordPieceOptions options) {
  return std::make_unique<WordPiece>(WordPieceParts{std::move(vocabulary), std::move(options), {}}, "vocabulary");
}

}  // namespace tsrun
