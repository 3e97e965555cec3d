#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::data {

/// Text with column names in braces: "premise: {text_a}". "{{" and "}}" are braces.
class Template {
 public:
  Template() = default;
  /// @throws std::invalid_argument "found …, expected …" for an unknown column (with the near miss) or a brace without its other.
  Template(std::string_view text, const std::vector<std::string>& columns);
  /// `texts` has one entry a column.
  std::string fill(std::span<const std::string_view> texts) const;
  const std::string& text() const { return text_; }

 private:
  struct Part {
    std::string literal;  ///< stands before the column
    int column = -1;      ///< -1: none, at the end
  };
  void add_column(std::string_view name, const std::vector<std::string>& columns);

  std::string text_;
  std::vector<Part> parts_;
};

/// `text` with its braces doubled, so that a template shows it as it is.
std::string escape_braces(std::string_view text);

}  // namespace tsrun::data
