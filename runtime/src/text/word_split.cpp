#include "text/word_split.h"

#include "text/utf8_units.h"
#include "text/word_class.h"

namespace tsrun::text {
namespace {

struct Seen {
  WordClass kind = WordClass::other;
  size_t end = 0;  ///< of the character
};

Seen look(std::string_view text, size_t at) {
  const UChar32 c = next_character(text, at);
  return {word_class(c), at};
}

/// End of the run of `kind` that starts at `at`.
size_t run_end(std::string_view text, size_t at, WordClass kind) {
  while (at < text.size()) {
    const Seen seen = look(text, at);
    if (seen.kind != kind) break;
    at = seen.end;
  }
  return at;
}

bool is_line_end(char c) { return c == '\r' || c == '\n'; }

char lower_ascii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Length of 's, 't, 're, 've, 'm, 'll or 'd at the start of `rest`, 0 for none. U+017F is an s where case is ignored.
size_t contraction_length(std::string_view rest, bool any_case) {
  if (rest.size() < 2 || rest[0] != '\'') return 0;
  const auto letter = [&](size_t at) { return at >= rest.size() ? '\0' : any_case ? lower_ascii(rest[at]) : rest[at]; };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if ((first == 'r' || first == 'v') && second == 'e') return 3;
  if (first == 'l' && second == 'l') return 3;
  return any_case && rest.substr(1, 2) == "\u017F" ? 3 : 0;
}

/// `\s+(?!\S)|\s+` at white space: a run leaves its last character to the word that follows.
size_t space_end(std::string_view text, size_t at) {
  const size_t end = run_end(text, at, WordClass::space);
  if (end == text.size()) return end;
  size_t last = end;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  U8_BACK_1(bytes, 0, last);
  return last > at ? last : end;
}

size_t gpt2_end(std::string_view text, size_t at) {
  if (const size_t length = contraction_length(text.substr(at), false)) return at + length;
  Seen seen = look(text, at);
  if (text[at] == ' ' && seen.end < text.size()) {
    const Seen next = look(text, seen.end);
    if (next.kind != WordClass::space) seen = next;
  }
  return seen.kind == WordClass::space ? space_end(text, at) : run_end(text, seen.end, seen.kind);
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+` at white space.
size_t lines_end(std::string_view text, size_t at) {
  const size_t end = run_end(text, at, WordClass::space);
  for (size_t last = end; last > at; --last)
    if (is_line_end(text[last - 1])) return last;
  return space_end(text, at);
}

size_t numbers_end(std::string_view text, size_t at, int most) {
  for (; most > 0 && at < text.size(); --most) {
    const Seen seen = look(text, at);
    if (seen.kind != WordClass::number) break;
    at = seen.end;
  }
  return at;
}

size_t qwen2_end(std::string_view text, size_t at, int most_digits) {
  if (const size_t length = contraction_length(text.substr(at), true)) return at + length;
  const Seen seen = look(text, at);
  if (seen.kind == WordClass::letter) return run_end(text, seen.end, WordClass::letter);
  if (seen.kind == WordClass::number) return numbers_end(text, at, most_digits);
  const Seen next = seen.end < text.size() ? look(text, seen.end) : Seen{WordClass::space, seen.end};
  if (next.kind == WordClass::letter && !is_line_end(text[at])) return run_end(text, next.end, WordClass::letter);
  if (seen.kind == WordClass::other || (text[at] == ' ' && next.kind == WordClass::other)) {
    size_t end = run_end(text, seen.end, WordClass::other);
    while (end < text.size() && is_line_end(text[end])) ++end;
    return end;
  }
  return lines_end(text, at);
}

}  // namespace

std::string_view expression_of(WordPattern pattern) {
  switch (pattern) {
    case WordPattern::gpt2:
      return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
    case WordPattern::qwen2:
      return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    default:
      return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  }
}

size_t word_end(WordPattern pattern, std::string_view text, size_t at) {
  if (pattern == WordPattern::gpt2) return gpt2_end(text, at);
  return qwen2_end(text, at, pattern == WordPattern::llama3 ? 3 : 1);
}

}  // namespace tsrun::text
