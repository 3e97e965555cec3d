#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::data {

/// A table of a task.toml, with errors that name their line.
class TaskSection {
 public:
  /// @throws Error(data) when the table has a key that is not one of `keys`. @pre the table outlives the section.
  TaskSection(const toml::table& table, std::string file, std::vector<std::string> keys);

  const toml::node* find(std::string_view key) const { return table_.get(key); }
  const toml::node& require(std::string_view key, std::string_view expected) const;
  [[noreturn]] void wrong(const toml::node& node, std::string_view key, const std::string& found, std::string_view expected) const;

  /// A text that is not empty.
  std::string text(const toml::node& node, std::string_view key, std::string_view expected) const;
  std::string any_text(const toml::node& node, std::string_view key, std::string_view expected) const;
  /// A text, or a number where columns are numbered.
  std::string column(const toml::node& node, std::string_view key, std::string_view expected) const;
  /// One column or a list of them.
  std::vector<std::string> columns(const toml::node& node, std::string_view key, std::string_view expected) const;
  /// Texts (or numbers, or truth values), all different, at least `least`.
  std::vector<std::string> names(std::string_view key, size_t least, std::string_view expected) const;
  /// One of `known`, with the near miss.
  std::string choice(const toml::node& node, std::string_view key, const std::vector<std::string>& known) const;
  const toml::array& array(std::string_view key, std::string_view expected) const;
  const toml::table& table(std::string_view key, std::string_view expected) const;
  void refuse(std::string_view key, std::string_view why) const;  ///< "found KEY = a value, expected none (WHY)"

  const std::string& file() const { return file_; }
  static int64_t line(const toml::node& node);
  static std::string type_of(const toml::node& node);

 private:
  const toml::table& table_;
  std::string file_;
  std::vector<std::string> keys_;
};

}  // namespace tsrun::data
