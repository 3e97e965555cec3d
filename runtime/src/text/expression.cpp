#include "text/expression.h"

#include "text/utf8_units.h"
#include "tsrun/base/error.h"

#include <unicode/regex.h>
#include <unicode/unistr.h>

#include <limits>

namespace tsrun::text {
namespace {

[[noreturn]] void refuse_expression(const std::string& expression, std::string_view part, const std::string& where) {
  data_error("{}: pattern '{}' has '{}', expected only constructs that every library reads alike", where, expression, part);
}

/// The expression with `\s` and `\S` spelled out, which ICU reads more narrowly. Refuses what libraries read differently.
std::string translate_expression(const std::string& expression, const std::string& where) {
  std::string out;
  int sets = 0;  // that are open: one may hold another
  for (size_t at = 0; at < expression.size(); ++at) {
    const char c = expression[at];
    const std::string_view two = std::string_view(expression).substr(at, 2);
    if (c == '\\') {
      if (two.size() < 2 || std::string_view("wWbBhHRXKGAzZkg0123456789QEcNoy").find(two[1]) != std::string_view::npos)
        refuse_expression(expression, two, where);
      if (two[1] == 's' || two[1] == 'S') out += two[1] == 's' ? "\\p{White_Space}" : "\\P{White_Space}";
      if (two[1] != 's' && two[1] != 'S') out += two;
      ++at;
      const bool named = (two[1] == 'p' || two[1] == 'P' || two[1] == 'x') && expression.find('}', at) != std::string::npos;
      if (named && expression[at + 1] == '{')  // whole, so that a quantifier behind it is not taken for one of the braces
        while (expression[at] != '}') out.push_back(expression[++at]);
      continue;
    }
    if (sets == 0 && (c == '^' || c == '$' || c == '.' || two == "}+"))
      refuse_expression(expression, two == "}+" ? two : two.substr(0, 1), where);
    if (sets > 0 && (two == "--" || two == "&&" || two == "[:" || two == "||")) refuse_expression(expression, two, where);
    if (two == "[]" || std::string_view(expression).substr(at, 3) == "[^]") refuse_expression(expression, "[]", where);
    if (sets == 0 && two == "(?") {
      const std::string_view rest = std::string_view(expression).substr(at + 2);
      const bool known = rest.starts_with(':') || rest.starts_with('=') || rest.starts_with('!') || rest.starts_with("i:") ||
                         rest.starts_with("<=") || rest.starts_with("<!") || rest.starts_with('>');
      if (!known) refuse_expression(expression, std::string_view(expression).substr(at, 3), where);
    }
    if (c == '[') ++sets;
    if (c == ']' && sets > 0) --sets;
    out.push_back(c);
  }
  return out;
}

class IcuPattern : public Pattern {
 public:
  explicit IcuPattern(std::unique_ptr<icu::RegexPattern> pattern) : pattern_(std::move(pattern)) {}

  void find_all(std::string_view text, std::vector<Match>& matches) const override {
    if (text.size() > std::numeric_limits<int32_t>::max() / 2) data_error("a text has {} bytes, expected less than 1 GiB", text.size());
    UErrorCode status = U_ZERO_ERROR;
    const icu::UnicodeString units = icu::UnicodeString::fromUTF8({text.data(), static_cast<int32_t>(text.size())});
    const std::unique_ptr<icu::RegexMatcher> matcher(pattern_->matcher(units, status));
    if (U_SUCCESS(status)) matcher->setStackLimit(0, status);
    size_t bytes = 0;
    int32_t unit = 0;
    const auto byte_at = [&](int32_t target) {
      while (unit < target) unit += next_character(text, bytes) > 0xFFFF ? 2 : 1;
      return bytes;
    };
    while (U_SUCCESS(status) && matcher->find(status)) {
      const int32_t begin = matcher->start(status), end = matcher->end(status);
      if (end > begin) {
        const size_t first = byte_at(begin);
        matches.push_back({first, byte_at(end)});
      }
    }
    if (U_FAILURE(status)) data_error("a pattern cannot be matched in a text of {} bytes: {}", text.size(), u_errorName(status));
  }

 private:
  std::unique_ptr<icu::RegexPattern> pattern_;
};

}  // namespace

std::unique_ptr<Pattern> expression_pattern(const std::string& expression, const std::string& where) {
  UErrorCode status = U_ZERO_ERROR;
  UParseError place;
  const icu::UnicodeString units = icu::UnicodeString::fromUTF8(translate_expression(expression, where));
  std::unique_ptr<icu::RegexPattern> pattern(icu::RegexPattern::compile(units, place, status));
  if (U_FAILURE(status)) data_error("{}: pattern '{}' is malformed: {}", where, expression, u_errorName(status));
  return std::make_unique<IcuPattern>(std::move(pattern));
}

}  // namespace tsrun::text
