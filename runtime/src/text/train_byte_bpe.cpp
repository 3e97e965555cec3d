#include "text/byte_alphabet.h"
#include "text/pair_merger.h"
#include "text/training_parts.h"
#include "tsrun/base/error.h"
#include "tsrun/text/document.h"

#include <algorithm>
#include <array>

namespace tsrun {

using Json = nlohmann::json;

namespace text {
namespace {

/// Special tokens, and the byte alphabet in the order of its characters.
struct FirstTokens {
  std::vector<std::string> all;
  std::array<int32_t, 256> of_byte{};

  explicit FirstTokens(const TokenizerTraining& training) : all(special_tokens(training)) {
    std::vector<std::pair<std::string, size_t>> letters;  // UTF-8 sorts as its code points do
    for (size_t byte = 0; byte < of_byte.size(); ++byte)
      letters.emplace_back(to_byte_alphabet(std::string(1, static_cast<char>(byte))), byte);
    std::sort(letters.begin(), letters.end());
    for (const auto& [letter, byte] : letters) {
      of_byte[byte] = static_cast<int32_t>(all.size());
      all.push_back(letter);
    }
  }
};

/// Learned merges of `words`.
PairMerger merged(const PieceCounts& words, const TokenizerTraining& training) {
  const FirstTokens first(training);
  if (training.vocabulary_size < static_cast<int64_t>(first.all.size()))
    user_error("vocabulary_size is {}, expected at least {}: the special tokens and the 256 bytes", training.vocabulary_size,
               first.all.size());
  PairMerger merger(first.all);
  for (const auto& [word, count] : words) {
    std::vector<int32_t> symbols;
    for (const char byte : word) symbols.push_back(first.of_byte[static_cast<unsigned char>(byte)]);
    merger.add_word(std::move(symbols), count);
  }
  merger.merge(static_cast<size_t>(training.vocabulary_size), training.min_frequency);
  return merger;
}

}  // namespace

}  // namespace text

std::unique_ptr<Tokenizer> train_byte_bpe(std::span<const std::string> texts, const TokenizerTraining& training) {
  using namespace text;
  if (training.line_ends) user_error("a line's end is a token of its own in tokenizers of words alone; byte_bpe has a byte for it");
  Json document = trained_document(training);
  document["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  document["decoder"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  const PieceCounts words = count_pieces(texts, document["pre_tokenizer"]);
  if (words.empty()) data_error("found {} empty texts, expected some characters", texts.size());
  const PairMerger merger = merged(words, training);
  Json vocabulary = Json::object(), merges = Json::array();
  for (size_t id = 0; id < merger.tokens().size(); ++id) vocabulary[merger.tokens()[id]] = id;
  for (const auto& [left, right] : merger.merges()) merges.push_back({left, right});
  document["model"] = {{"type", "BPE"}, {"vocab", std::move(vocabulary)}, {"merges", std::move(merges)}};
  return make_tokenizer(std::move(document), training.special, "trained tokenizer");
}

}  // namespace tsrun
