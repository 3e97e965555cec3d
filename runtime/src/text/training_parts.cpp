#include "text/training_parts.h"

#include "text/pre_tokenizer.h"
#include "tsrun/base/error.h"
#include "tsrun/text/document.h"

#include <algorithm>

namespace tsrun {
namespace text {
namespace {

using Json = nlohmann::json;

NamedId named_token(const TokenizerTraining& training, SpecialToken role) {
  const auto token = training.special.find(role);
  if (token == training.special.end()) return {};
  const std::vector<std::string> all = special_tokens(training);
  return {token->second, std::find(all.begin(), all.end(), token->second) - all.begin()};
}

Json rows_of_training(const TokenizerTraining& training) {
  const NamedId classifier = named_token(training, SpecialToken::classifier), separator = named_token(training, SpecialToken::separator);
  if (classifier.name.empty() != separator.name.empty())
    user_error("special token {} is given alone, expected cls_token and sep_token together",
               classifier.name.empty() ? "sep_token" : "cls_token");
  if (!classifier.name.empty())
    return {{"type", "BertProcessing"}, {"sep", {separator.name, separator.id}}, {"cls", {classifier.name, classifier.id}}};
  if (!training.end_rows) return {};
  const NamedId end = named_token(training, SpecialToken::end);
  if (end.name.empty()) user_error("rows are to end with the end token, but there is none; expected an eos_token among the special tokens");
  return begin_end_rows({}, end, 0);
}

}  // namespace

PieceCounts count_pieces(std::span<const std::string> texts, const Json& pre_tokenizer) {
  const PreTokenizerParts parts = pre_tokenizer_of(pre_tokenizer, "pre_tokenizer");
  PieceCounts counts;
  Pieces pieces;
  for (const std::string& text : texts) {
    if (text.empty()) continue;
    pieces.parts.assign(1, {text, true});
    pieces.texts.clear();
    for (const auto& step : parts.steps) (*step)(pieces);
    for (const Piece& piece : pieces.parts) {
      const auto found = counts.find(piece.text);
      found != counts.end() ? void(++found->second) : void(counts.emplace(piece.text, 1));
    }
  }
  return counts;
}

std::vector<std::string> special_tokens(const TokenizerTraining& training) {
  std::vector<std::string> tokens;
  for (const auto& [role, token] : training.special) {
    if (token.empty()) user_error("a special token is empty, expected some characters");
    if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
  }
  return tokens;
}

Json trained_document(const TokenizerTraining& training) {
  Json added = Json::array();
  for (const std::string& token : special_tokens(training)) added.push_back(special_entry(token, static_cast<int64_t>(added.size())));
  return {{"version", "1.0"}, {"added_tokens", added}, {"normalizer", nullptr}, {"post_processor", rows_of_training(training)}};
}

}  // namespace text

TokenizerFacts facts_of(const Tokenizer& tokenizer) {
  TokenizerFacts facts{tokenizer.vocabulary_size(), {}};
  for (const auto& [role, key] : kRoleKeys)
    if (const auto id = tokenizer.special_id(role)) facts.special[key] = *id;
  return facts;
}

}  // namespace tsrun
