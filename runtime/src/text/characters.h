#pragma once

#include <unicode/umachine.h>

/// Character classes as BERT's normalizer and pre-tokenizer see them. The reference implementation takes general categories
/// from tables of Unicode 8 and decompositions from tables of Unicode 12, so characters that are younger belong to no class here, whatever
/// version of ICU is linked.
namespace tsrun::text::bert {

bool is_whitespace(UChar32 c);       ///< White_Space
bool is_removed(UChar32 c);          ///< NUL, U+FFFD, control, format and private-use characters, except tab, newline, return
bool is_cjk(UChar32 c);              ///< ideographs that become words of their own
bool is_punctuation(UChar32 c);      ///< general category P*, and every ASCII symbol
bool is_nonspacing_mark(UChar32 c);  ///< general category Mn
bool is_word_character(UChar32 c);   ///< `\w` of a Unicode regular expression
UChar32 lower(UChar32 c);            ///< simple lower case; U+0130, whose lower case is two characters, is the caller's

}  // namespace tsrun::text::bert
