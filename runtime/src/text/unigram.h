#pragma once

#include "text/byte_fallback.h"
#include "text/subword_model.h"
#include "text/trie.h"

namespace tsrun::text {

/// Definition of a Unigram model. The index in `vocabulary` is the id; `scores` are log-probabilities.
struct UnigramParts {
  std::vector<std::string> vocabulary;
  std::vector<double> scores;
  int64_t unknown = 0;
  bool byte_fallback = false;  ///< unknown characters become their bytes, "<0x00>" to "<0xFF>"
};

/// The segmentation of greatest total score (Viterbi). An unknown character scores 10 below the worst token; adjacent ones are one unknown
/// token.
class Unigram : public SubwordModel {
 public:
  Unigram(UnigramParts parts, const std::string& where);
  void encode(std::string_view piece, std::vector<int64_t>& ids) const override;
  const std::vector<std::string>& vocabulary() const override { return parts_.vocabulary; }
  int32_t find(std::string_view token) const override;
  int32_t unknown() const override { return static_cast<int32_t>(parts_.unknown); }
  nlohmann::json json() const override;

 private:
  struct Step;
  void search(std::string_view piece, std::vector<Step>& steps) const;
  void append(std::string_view unknown, std::vector<int64_t>& ids) const;

  UnigramParts parts_;
  Trie tokens_;
  ByteTokens fallback_;
  double unknown_score_ = 0;
};

}  // namespace tsrun::text
