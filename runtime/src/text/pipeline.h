#pragma once

#include "text/added_tokens.h"
#include "text/conventions.h"
#include "text/decoder.h"
#include "text/normal_steps.h"
#include "text/pre_tokenizer.h"
#include "text/row_template.h"
#include "text/subword_model.h"
#include "text/token_names.h"

#include <utility>

namespace tsrun::text {

/// The steps of a tokenizer.json: added tokens are matched; the text between them is normalized, pre-tokenized and encoded by a model; a
/// template makes rows; a decoder makes text.
class Pipeline : public Tokenizer {
 public:
  /// @throws Error(data) "`where`: …" naming whatever of the tokenizer.json in `document` is malformed or not supported.
  Pipeline(TokenizerDocument document, const std::string& where);

  std::vector<int64_t> tokenize(std::string_view text) const override;
  Encoding encode(std::string_view first, std::optional<std::string_view> second, std::optional<int64_t> max_length,
                  Truncation truncation) const override;
  std::string decode(std::span<const int64_t> ids, bool skip_special_tokens) const override;
  int64_t vocabulary_size() const override { return names_.size(); }
  std::string token(int64_t id) const override { return names_.name(id); }
  std::optional<int64_t> id(std::string_view token) const override;
  std::optional<int64_t> special_id(SpecialToken token) const override;
  void save(const std::filesystem::path& folder) const override;

 private:
  void index_added_tokens(const std::string& where);
  void encode_text(std::string_view text, bool at_start, std::vector<int64_t>& ids) const;
  void encode_pieces(std::string_view text, bool at_start, std::vector<int64_t>& ids) const;

  nlohmann::json document_;  ///< without its model
  SpecialRoles roles_, inferred_;
  TokenizerSettings settings_;
  std::unique_ptr<SubwordModel> model_;
  TokenNames names_;
  AddedTokens raw_, normalized_;  ///< matched before and after normalization
  std::unique_ptr<NormalStep> normalizer_;
  PreTokenizerParts pre_tokenizer_;
  RowTemplate rows_;
  Decoder decoder_;
};

}  // namespace tsrun::text
