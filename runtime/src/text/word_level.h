#pragma once

#include "text/subword_model.h"
#include "text/word_table.h"

namespace tsrun::text {

/// A vocabulary of whole pieces; any other piece is the unknown token.
class WordLevel : public SubwordModel {
 public:
  /// @throws Error(data) "`where`: …" when the unknown token is not in the vocabulary.
  WordLevel(std::vector<std::string> vocabulary, std::string unknown, const std::string& where);
  void encode(std::string_view piece, std::vector<int64_t>& ids) const override;
  const std::vector<std::string>& vocabulary() const override { return vocabulary_; }
  int32_t find(std::string_view token) const override { return tokens_.find(token); }
  int32_t unknown() const override { return unknown_; }
  nlohmann::json json() const override;

 private:
  std::vector<std::string> vocabulary_;
  std::string unknown_token_;
  WordTable tokens_;
  int32_t unknown_ = -1;
};

}  // namespace tsrun::text
