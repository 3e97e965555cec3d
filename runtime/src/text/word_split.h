#pragma once

#include <cstddef>
#include <string_view>

namespace tsrun::text {

/// Split patterns of byte-level tokenizers, matched by hand. Each covers the whole text.
enum class WordPattern {
  gpt2,    ///< GPT-2, RoBERTa: lower-case contractions, runs of letters, of digits and of the rest, each with a blank before it
  qwen2,   ///< contractions of either case, one mark before letters, single digits, line ends by themselves
  llama3,  ///< as qwen2, with up to three digits
};

/// The regular expression in files.
std::string_view expression_of(WordPattern pattern);

/// End of the match that starts at `at`; `text` is well-formed and `at` lies before its end.
size_t word_end(WordPattern pattern, std::string_view text, size_t at);

}  // namespace tsrun::text
