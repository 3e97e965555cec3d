#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Option tables. An option is declared once; validation, `tsrun describe`, the reference page and the Lua stubs follow from it.
namespace tsrun {

enum class OptionType { boolean, integer, number, text, choice, list, table, artifact };

struct Option {
  std::string name;
  OptionType type = OptionType::text;
  nlohmann::json fallback = nullptr;  ///< null: the option is optional and absent unless given
  std::string doc;                    ///< one sentence
  bool required = false;
  std::optional<double> minimum = {}, maximum = {};  ///< inclusive range of numbers (and of list elements)
  std::vector<std::string> choices = {};             ///< for `choice`; for `artifact` the accepted kinds; else further accepted types
  std::string unit = {};
};

/// Resolved values of declared options. Threads may read one object at once.
class Options {
 public:
  Options() = default;
  explicit Options(nlohmann::json values) : values_(std::move(values)) {}
  bool has(std::string_view name) const;  ///< given or defaulted to something other than null
  bool flag(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  std::string text(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;
  const nlohmann::json& value(std::string_view name) const;  ///< null when absent; internal error when undeclared
  const nlohmann::json& json() const { return values_; }     ///< canonical form for hashing

 private:
  nlohmann::json values_ = nlohmann::json::object();
};

class OptionTable {
 public:
  OptionTable() = default;
  OptionTable(std::initializer_list<Option> options);
  OptionTable& add(Option option);                 ///< internal error when the name is taken
  OptionTable& include(const OptionTable& other);  ///< adds all of `other`
  const std::vector<Option>& all() const { return options_; }
  const Option* find(std::string_view name) const;

  /// Validates names, types, ranges and choices and fills in defaults. Integral numbers satisfy `integer`; integers satisfy `number`.
  /// @throws Error(user) as "`where`: unknown option 'rnk' (did you mean 'rank'?)" or
  ///         "`where`: option 'rank' is 0, expected an integer from 1 to 1024".
  Options resolve(const nlohmann::json& given, std::string_view where) const;

  /// One line an option: name, type, default, range, unit, sentence; aligned for a terminal.
  std::string describe() const;

 private:
  std::vector<Option> options_;
};

std::string_view name_of(OptionType type);

}  // namespace tsrun
