#include "text/training_parts.h"
#include "tsrun/base/error.h"
#include "tsrun/text/document.h"

#include <algorithm>

namespace tsrun {

using Json = nlohmann::json;

namespace text {
namespace {

/// Words to be listed behind `special`, in the order of their ids.
std::vector<std::pair<std::string, int64_t>> ranked_words(const PieceCounts& counts, const std::vector<std::string>& special,
                                                          int64_t least) {
  std::vector<std::pair<std::string, int64_t>> words;
  for (const auto& [word, count] : counts)
    if (count >= least && std::find(special.begin(), special.end(), word) == special.end()) words.emplace_back(word, count);
  std::stable_sort(words.begin(), words.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return words;
}

Json word_vocabulary(std::span<const std::string> texts, const TokenizerTraining& training, const Json& pre_tokenizer) {
  const std::vector<std::string> special = special_tokens(training);
  const PieceCounts counts = count_pieces(texts, pre_tokenizer);
  if (counts.empty()) data_error("found only white space in {} texts, expected words", texts.size());
  const auto most = training.vocabulary_size == 0 ? counts.size() + special.size() : static_cast<size_t>(training.vocabulary_size);
  if (most <= special.size())
    user_error("vocabulary_size is {}, expected more than the {} special tokens", training.vocabulary_size, special.size());
  Json vocabulary = Json::object();
  const auto add = [&](const std::string& token) {
    const size_t id = vocabulary.size();
    if (id < most) vocabulary[token] = id;
  };
  for (const std::string& token : special) add(token);
  for (const auto& [word, count] : ranked_words(counts, special, training.min_frequency)) add(word);
  return vocabulary;
}

}  // namespace

}  // namespace text

std::unique_ptr<Tokenizer> train_words(std::span<const std::string> texts, const TokenizerTraining& training) {
  const auto unknown = training.special.find(SpecialToken::unknown), end = training.special.find(SpecialToken::end);
  if (unknown == training.special.end()) user_error("a tokenizer of words needs an unk_token among its special tokens, found none");
  if (training.line_ends && end == training.special.end())
    user_error("a line's end is to be the end token, but there is none; expected an eos_token among the special tokens");
  Json document = text::trained_document(training);
  document["pre_tokenizer"] = {{"type", "WhitespaceSplit"}};
  document["decoder"] = nullptr;
  if (training.line_ends)
    document["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", "\n"}}}, {"content", " " + end->second + " "}};
  document["model"] = {{"type", "WordLevel"}, {"unk_token", unknown->second}};
  document["model"]["vocab"] = text::word_vocabulary(texts, training, document["pre_tokenizer"]);
  return make_tokenizer(std::move(document), training.special, "trained tokenizer");
}

}  // namespace tsrun
