#pragma once

#include "text/pattern.h"
#include "text/pre_tokenizer.h"

#include <memory>
#include <string>

/// Pre-tokenizing steps that are no search for a pattern, and the character classes that others search for.
namespace tsrun {

/// A blank before each piece that does not start with one.
std::unique_ptr<PreTokenizer> blank_step();
/// GPT-2's words.
std::unique_ptr<PreTokenizer> gpt2_words_step();
/// BERT's words: white space ends one and goes, a punctuation character is one of its own.
std::unique_ptr<PreTokenizer> bert_words_step();
/// Each piece in the byte alphabet.
std::unique_ptr<PreTokenizer> alphabet_step();
/// Parts of `length` characters; the last may be shorter.
std::unique_ptr<PreTokenizer> fixed_length_step(size_t length);

enum class PrefixScheme { always, first, never };
/// Blanks become `replacement`, and one goes before a piece; pieces are cut before each where `split` is set.
std::unique_ptr<PreTokenizer> metaspace_step(std::string replacement, PrefixScheme scheme, bool split);

/// White space, or a digit of any script, or punctuation: one character a match.
std::unique_ptr<Pattern> space_pattern();
std::unique_ptr<Pattern> number_pattern();
std::unique_ptr<Pattern> punctuation_pattern();
/// `\w+|[^\w\s]+`
std::unique_ptr<Pattern> word_runs_pattern();

}  // namespace tsrun
