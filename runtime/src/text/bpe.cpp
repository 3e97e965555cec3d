#include "text/bpe.h"

#include "text/byte_alphabet.h"
#include "text/utf8_units.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>

namespace tsrun::text {
namespace {

constexpr std::string_view kBoundary = "\u2581";

bool starts_with_boundary(std::string_view text) { return text.substr(0, kBoundary.size()) == kBoundary; }

bool ends_with_boundary(std::string_view text) {
  return text.size() >= kBoundary.size() && text.substr(text.size() - kBoundary.size()) == kBoundary;
}

}  // namespace

Bpe::Bpe(BpeParts parts, const std::string& where) : parts_(std::move(parts)) {
  for (size_t id = 0; id < parts_.vocabulary.size(); ++id)
    if (!parts_.vocabulary[id].empty()) tokens_.insert(parts_.vocabulary[id], static_cast<int32_t>(id));
  if (!parts_.unknown.empty()) {
    unknown_ = find(parts_.unknown);
    if (unknown_ < 0)
      data_error("{}: model.unk_token is '{}', expected a token of the vocabulary{}", where, parts_.unknown,
                 did_you_mean(parts_.unknown, parts_.vocabulary));
  }
  if (parts_.byte_fallback) fallback_ = ByteTokens([this](std::string_view token) { return find(token); });
  index_merges(where);
  if (parts_.bytes) index_bytes();
  find_boundary();
  index_words();
}

void Bpe::index_merges(const std::string& where) {
  merges_ = PairTable(parts_.merges.size());
  for (size_t rank = 0; rank < parts_.merges.size(); ++rank) {
    const auto& [left, right] = parts_.merges[rank];
    const auto known = [&](const std::string& token) {
      const int32_t id = find(token);
      if (id < 0) data_error("{}: merge {} joins '{}' and '{}', but '{}' is not in the vocabulary", where, rank + 1, left, right, token);
      return id;
    };
    const int32_t first = known(left), second = known(right);
    if (!right.starts_with(parts_.prefix))
      data_error("{}: merge {} joins '{}' and '{}', expected the second to start with the prefix '{}'", where, rank + 1, left, right,
                 parts_.prefix);
    merges_.insert(first, second, {static_cast<int32_t>(rank), known(left + right.substr(parts_.prefix.size()))});
  }
}

void Bpe::index_bytes() {
  for (size_t byte = 0; byte < bytes_.size(); ++byte) {
    const char value = static_cast<char>(byte);
    bytes_[byte] = find(to_byte_alphabet({&value, 1}));
  }
}

void Bpe::find_boundary() {
  const auto crosses = [](const auto& merge) { return starts_with_boundary(merge.second) && !ends_with_boundary(merge.first); };
  cut_at_boundary_ =
      !parts_.bytes && !has_affixes() && find(kBoundary) >= 0 && std::none_of(parts_.merges.begin(), parts_.merges.end(), crosses);
}

/// The piece that is encoded as `token` alone; nothing when there is none.
std::optional<std::string> Bpe::piece_of(const std::string& token) const {
  const bool whole = parts_.ignore_merges || token.ends_with(parts_.suffix);
  if (!whole) return std::nullopt;
  const std::string spelled = parts_.ignore_merges ? token : token.substr(0, token.size() - parts_.suffix.size());
  return parts_.bytes ? from_byte_alphabet(spelled) : std::optional(spelled);
}

/// Most words of a text are one token; those are looked up instead of merged.
void Bpe::index_words() {
  WordTable words;
  std::vector<int64_t> ids;
  for (size_t id = 0; id < parts_.vocabulary.size(); ++id) {
    const auto spelled = piece_of(parts_.vocabulary[id]);
    if (!spelled || spelled->empty()) continue;
    ids.clear();
    if (!parts_.ignore_merges) encode_segment(*spelled, ids);
    if (parts_.ignore_merges || (ids.size() == 1 && ids[0] == static_cast<int64_t>(id))) words.insert(*spelled, static_cast<int32_t>(id));
  }
  words_ = std::move(words);
}

void Bpe::encode(std::string_view piece, std::vector<int64_t>& ids) const {
  if (!cut_at_boundary_) return encode_segment(piece, ids);
  if (parts_.ignore_merges) {
    if (const int32_t id = words_.find(piece); id >= 0) return ids.push_back(id);
  }
  for (size_t from = 0; from < piece.size();) {
    const size_t end = segment_end(piece, from);
    encode_segment(piece.substr(from, end - from), ids);
    from = end;
  }
}

/// The first boundary after `from` that follows something else.
size_t Bpe::segment_end(std::string_view piece, size_t from) const {
  while (starts_with_boundary(piece.substr(from))) from += kBoundary.size();
  return std::min(piece.find(kBoundary, from), piece.size());
}

void Bpe::encode_segment(std::string_view segment, std::vector<int64_t>& ids) const {
  if (const int32_t id = words_.find(segment); id >= 0) return ids.push_back(id);
  thread_local Symbols symbols;
  symbols.clear();
  first_symbols(segment, symbols);
  merge_symbols(merges_, symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

/// The token of the character from `begin` to `end`; -1: none.
int32_t Bpe::symbol(std::string_view segment, size_t begin, size_t end) const {
  const std::string_view character = segment.substr(begin, end - begin);
  if (!has_affixes()) return parts_.bytes ? bytes_[static_cast<unsigned char>(character[0])] : find(character);
  std::string token = begin > 0 ? parts_.prefix : std::string();
  token += parts_.bytes ? to_byte_alphabet(character) : std::string(character);
  if (end == segment.size()) token += parts_.suffix;
  return find(token);
}

/// An unknown character waits for its neighbours, with which it may be one token; bytes that stand in for another do not end the wait.
void Bpe::first_symbols(std::string_view segment, Symbols& symbols) const {
  bool waiting = false;
  const auto known = [&](int32_t id) {
    if (waiting) symbols.push_back(unknown_);
    waiting = false;
    symbols.push_back(id);
  };
  const auto unknown = [&] {
    if (unknown_ < 0) return;
    if (waiting && !parts_.fuse_unknown) symbols.push_back(unknown_);
    waiting = true;
  };
  for (size_t at = 0; at < segment.size();) {
    const size_t begin = at;
    parts_.bytes ? void(++at) : void(next_character(segment, at));
    const int32_t id = symbol(segment, begin, at);
    if (id >= 0) known(id);
    if (id < 0 && !(parts_.byte_fallback && fallback_.append(segment.substr(begin, at - begin), symbols))) unknown();
  }
  if (waiting) symbols.push_back(unknown_);
}

nlohmann::json Bpe::json() const {
  nlohmann::json vocabulary = nlohmann::json::object(), merges = nlohmann::json::array();
  for (size_t id = 0; id < parts_.vocabulary.size(); ++id)
    if (!parts_.vocabulary[id].empty()) vocabulary[parts_.vocabulary[id]] = id;
  for (const auto& [left, right] : parts_.merges) merges.push_back({left, right});
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", parts_.unknown.empty() ? nlohmann::json() : nlohmann::json(parts_.unknown)},
          {"continuing_subword_prefix", parts_.prefix},
          {"end_of_word_suffix", parts_.suffix},
          {"fuse_unk", parts_.fuse_unknown},
          {"byte_fallback", parts_.byte_fallback},
          {"ignore_merges", parts_.ignore_merges},
          {"vocab", std::move(vocabulary)},
          {"merges", std::move(merges)}};
}

}  // namespace tsrun::text
