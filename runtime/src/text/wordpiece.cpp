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
  for (size_t id = 0; id < parts_.vocabulary.size(); ++id) {
    if (!parts_.vocabulary[id].empty()) vocabulary_.insert(parts_.vocabulary[id], static_cast<int32_t>(id));
  }
  if (const auto node = vocabulary_.find(parts_.options.continuation)) continuation_ = *node;
  add_special_tokens();
  index_added_tokens();
  const WordPieceOptions& options = parts_.options;
  unknown_ = require(options.unknown, "unknown", where);
  decoder_ = wordpiece_decoder(options.continuation, parts_.clean_up);
  rows_ = RowTemplate::bert(require(options.classifier, "classifier", where), require(options.separator, "separator", where));
}

/// The special tokens that the vocabulary holds are found in raw text, whatever the options say about other added tokens.
void WordPiece::add_special_tokens() {
  const WordPieceOptions& options = parts_.options;
  for (const std::string& content : {options.padding, options.unknown, options.classifier, options.separator, options.mask}) {
    const auto same = [&](const AddedToken& token) { return token.content == content; };
    if (std::any_of(parts_.added.begin(), parts_.added.end(), same)) continue;
    AddedToken token{content};
    token.special = true;
    if (const auto known = id(content)) {
      token.id = static_cast<int32_t>(*known);
      parts_.added.push_back(std::move(token));
    }
  }
}

void WordPiece::index_added_tokens() {
  std::vector<AddedToken> raw, normalized;
  names_ = TokenNames(parts_.vocabulary, parts_.added);
  for (const AddedToken& token : parts_.added) {
    (token.normalized ? normalized : raw).push_back(token);
    if (!token.normalized) continue;
    normalized.back().content = normalizer_(token.content);
    names_.spell(token.id, normalized.back().content);
  }
  raw_ = AddedTokens(std::move(raw));
  normalized_ = AddedTokens(std::move(normalized));
}

int64_t WordPiece::require(const std::string& token, const std::string& role, const std::string& where) const {
  if (const auto known = id(token)) return *known;
  data_error("{}: found no {} token '{}' among {} tokens, expected one{}", where, role, token, names_.size(),
             did_you_mean(token, names_.all()));
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

Encoding WordPiece::encode(std::string_view first, std::optional<std::string_view> second, std::optional<int64_t> max_length,
                           Truncation truncation) const {
  if (!second) return fill(rows_, tokenize(first), nullptr, max_length, truncation);
  const std::vector<int64_t> ids = tokenize(*second);
  return fill(rows_, tokenize(first), &ids, max_length, truncation);
}

std::string WordPiece::decode(std::span<const int64_t> ids, bool skip_special_tokens) const {
  return decoded_text(decoder_, names_.spellings_of(ids, skip_special_tokens));
}

std::optional<int64_t> WordPiece::id(std::string_view token) const {
  if (const auto added = names_.added_id(token)) return added;
  const auto node = token.empty() ? std::nullopt : vocabulary_.find(token);
  if (!node || vocabulary_.id_at(*node) < 0) return std::nullopt;
  return vocabulary_.id_at(*node);
}

/// BERT's rows begin with the classifier and end with the separator.
std::optional<int64_t> WordPiece::special_id(SpecialToken token) const {
  const WordPieceOptions& options = parts_.options;
  switch (token) {
    case SpecialToken::unknown:
      return id(options.unknown);
    case SpecialToken::begin:
    case SpecialToken::classifier:
      return id(options.classifier);
    case SpecialToken::end:
    case SpecialToken::separator:
      return id(options.separator);
    case SpecialToken::padding:
      return id(options.padding);
    default:
      return id(options.mask);
  }
}

std::unique_ptr<Tokenizer> make_wordpiece(std::vector<std::string> vocabulary, WordPieceOptions options) {
  return std::make_unique<WordPiece>(WordPieceParts{std::move(vocabulary), std::move(options), {}, true}, "vocabulary");
}

}  // namespace tsrun
