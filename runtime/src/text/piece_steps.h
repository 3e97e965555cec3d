#pragma once

#include "text/pattern.h"
#include "text/pre_tokenizer.h"

#include <memory>
#include <string>

/// Pre-tokenizing steps without patterns, and character classes for those with.
namespace tsrun::text {

/// Adds a blank before each piece that does not start with one.
std::unique_ptr<PreTokenizer> blank_step();
/// Splits into GPT-2's words.
std::unique_ptr<PreTokenizer> gpt2_words_step();
/// Splits into BERT's words: at white space, which is dropped, and around each punctuation character.
std::unique_ptr<PreTokenizer> bert_words_step();
/// Writes each piece in the byte alphabet.
std::unique_ptr<PreTokenizer> alphabet_step();
/// Splits into parts of `length` characters; the last may be shorter.
std::unique_ptr<PreTokenizer> fixed_length_step(size_t length);

enum class PrefixScheme { always, first, never };
/// Replaces blanks by `replacement` and puts one before a piece; splits before each where `split` is set.
std::unique_ptr<PreTokenizer> metaspace_step(std::string replacement, PrefixScheme scheme, bool split);

/// White space, or a digit of any script, or punctuation: one character a match.
std::unique_ptr<Pattern> space_pattern();
std::unique_ptr<Pattern> number_pattern();
std::unique_ptr<Pattern> punctuation_pattern();
/// `\w+|[^\w\s]+`
std::unique_ptr<Pattern> word_runs_pattern();

}  // namespace tsrun::text
