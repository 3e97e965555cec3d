#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tsrun::tune {

/// A regular expression of Python's `re`, which PEFT's rules are written in, matched by ICU. Constructs that ICU reads otherwise are
/// translated; those that cannot be are refused, as are those that Python refuses. Names of modules have no line ends, so `$` is the end.
class PythonExpression {
 public:
  /// @throws Error(user) "`where`: …" naming the construct.
  PythonExpression(const std::string& expression, const std::string& where);
  ~PythonExpression();
  PythonExpression(PythonExpression&&) noexcept;

  bool fullmatch(std::string_view text) const;  ///< re.fullmatch
  bool match(std::string_view text) const;      ///< re.match: at the beginning
  /// The last group of what re.match finds; nullopt where it finds nothing.
  std::optional<std::string> last_group(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace tsrun::tune
