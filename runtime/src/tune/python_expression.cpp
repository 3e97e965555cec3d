#include "tune/python_expression.h"

#include "tsrun/base/error.h"
#include "tsrun/tune/module_rules.h"
#include "tune/python_syntax.h"

#include <unicode/regex.h>
#include <unicode/unistr.h>

namespace tsrun {
namespace tune {
namespace {

icu::UnicodeString units_of(std::string_view text) {
  return icu::UnicodeString::fromUTF8({text.data(), static_cast<int32_t>(text.size())});
}

}  // namespace

struct PythonExpression::Compiled {
  std::string expression;
  std::unique_ptr<icu::RegexPattern> pattern;

  /// `call` on a matcher over `text`.
  template <class Call>
  auto with_matcher(std::string_view text, Call&& call) const {
    UErrorCode status = U_ZERO_ERROR;
    const icu::UnicodeString units = units_of(text);
    const std::unique_ptr<icu::RegexMatcher> matcher(pattern->matcher(units, status));
    if (U_FAILURE(status)) internal_error("'{}' cannot be matched: {}", expression, u_errorName(status));
    auto result = call(*matcher, status);
    if (U_FAILURE(status)) user_error("'{}' cannot be matched with '{}': {}", expression, text, u_errorName(status));
    return result;
  }
};

PythonExpression::PythonExpression(const std::string& expression, const std::string& where) : compiled_(std::make_unique<Compiled>()) {
  UErrorCode status = U_ZERO_ERROR;
  UParseError place;
  compiled_->expression = expression;
  compiled_->pattern.reset(icu::RegexPattern::compile(units_of(python_in_icu(expression, where)), place, status));
  if (U_FAILURE(status)) user_error("{}: '{}' is no regular expression: {}", where, expression, u_errorName(status));
}

PythonExpression::~PythonExpression() = default;
PythonExpression::PythonExpression(PythonExpression&&) noexcept = default;

bool PythonExpression::fullmatch(std::string_view text) const {
  return compiled_->with_matcher(text, [](icu::RegexMatcher& matcher, UErrorCode& status) { return matcher.matches(status) != 0; });
}

bool PythonExpression::match(std::string_view text) const {
  return compiled_->with_matcher(text, [](icu::RegexMatcher& matcher, UErrorCode& status) { return matcher.lookingAt(status) != 0; });
}

std::optional<std::string> PythonExpression::last_group(std::string_view text) const {
  return compiled_->with_matcher(text, [](icu::RegexMatcher& matcher, UErrorCode& status) -> std::optional<std::string> {
    if (!matcher.lookingAt(status)) return std::nullopt;
    std::string group;
    matcher.group(matcher.groupCount(), status).toUTF8String(group);
    return group;
  });
}

}  // namespace tune

bool fullmatch(const std::string& expression, const std::string& text, const std::string& where) {
  return tune::PythonExpression(expression, where).fullmatch(text);
}

}  // namespace tsrun
