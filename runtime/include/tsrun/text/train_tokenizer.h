#pragma once

#include "tsrun/text/special_roles.h"
#include "tsrun/text/tokenizer.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

/// Tokenizers made from text. Same texts and options, same files, in whatever order the texts come.
namespace tsrun {

struct TokenizerTraining {
  int64_t vocabulary_size = 0;  ///< most tokens, special ones included; 0 (words alone): no limit
  int64_t min_frequency = 1;    ///< of a word, or of a merged pair
  SpecialRoles special;         ///< get the first ids, in the order of SpecialToken
  bool line_ends = false;       ///< words: a line's end is the end token
  bool end_rows = false;        ///< a row ends with the end token (T5); a row with classifier and separator is enclosed by them (BERT)
};

/// Whole words between white space, most frequent first, then in the order of their bytes; any other word is the unknown token. Hugging
/// Face's WordLevel. @throws Error(user) for options that contradict each other, Error(data) for texts without words
std::unique_ptr<Tokenizer> train_words(std::span<const std::string> texts, const TokenizerTraining& training);

/// Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019) over GPT-2's words: the 256 bytes, then merges of the most
/// frequent pair of neighbours. Merges are those of Hugging Face's BpeTrainer over the byte alphabet, ties included. There are fewer than
/// asked for once every word is one token or no pair is frequent enough. @throws as `train_words`
std::unique_ptr<Tokenizer> train_byte_bpe(std::span<const std::string> texts, const TokenizerTraining& training);

/// Number of tokens and ids of special tokens by their keys in tokenizer_config.json ("eos_token"): what a model's config needs to know.
struct TokenizerFacts {
  int64_t vocabulary_size = 0;
  std::map<std::string, int64_t> special;
};
TokenizerFacts facts_of(const Tokenizer& tokenizer);

}  // namespace tsrun
