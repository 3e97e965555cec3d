#include "data/rows.h"
#include "tsrun/base/error.h"

#include <algorithm>
#include <numeric>

namespace tsrun::data {
namespace {

/// All words of a split, end to end, as they are tokenized: behind a blank where blanks are spelled.
std::vector<std::string> spelled_words(const Split& split, bool blanks) {
  std::vector<std::string> words;
  for (const Example& example : split.examples) {
    for (size_t at = 0; at < example.words.size(); ++at) words.push_back(at > 0 && blanks ? " " + example.words[at] : example.words[at]);
  }
  return words;
}

struct TaggedIds {
  Ids ids, tags;
};

/// A word without tokens becomes the unknown token, so that its tag counts; without such a token it is dropped.
void add_word(const Ids& word, int64_t tag, std::optional<int64_t> unknown, TaggedIds& into) {
  if (word.empty() && !unknown) return;
  word.empty() ? into.ids.push_back(*unknown) : append_ids(into.ids, word);
  into.tags.push_back(tag);
  into.tags.resize(into.ids.size(), no_target);
}

}  // namespace

EncodedSplit encode_words(const Split& split, const Tokenizer& tokenizer, const EncodeOptions& options) {
  const RowFrame frame = frame_of(tokenizer);
  const int64_t room = options.max_length - frame.size();
  if (room < 1)
    user_error("max_length is {}, expected at least {} (the special tokens of a row and a word)", options.max_length, frame.size() + 1);
  const std::vector<Ids> words = tokenize_all(tokenizer, spelled_words(split, needs_blanks(tokenizer)));
  const auto unknown = tokenizer.special_id(SpecialToken::unknown);
  EncodedSplit encoded;
  auto word = words.begin();
  for (const Example& example : split.examples) {
    TaggedIds row;
    for (const int64_t tag : example.tags) add_word(*word++, tag, unknown, row);
    row.ids.resize(std::min(row.ids.size(), static_cast<size_t>(room)));
    row.tags.resize(row.ids.size());
    row.tags.insert(row.tags.begin(), frame.begin.size(), no_target);
    row.tags.insert(row.tags.end(), frame.end.size(), no_target);
    encoded.rows.push_back(frame.enclose(row.ids));
    encoded.token_targets.push_back(std::move(row.tags));
  }
  encoded.targets.assign(encoded.rows.size(), 0);
  encoded.examples.resize(encoded.rows.size());
  std::iota(encoded.examples.begin(), encoded.examples.end(), int64_t{0});
  return encoded;
}

}  // namespace tsrun::data
