#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace tsrun::model {

/// A value for a message.
std::string shortened(const nlohmann::json& value);

/// Fields of a config.json, each checked for presence, type and range. Messages start with `where` and state what was found and expected.
class ConfigReader {
 public:
  /// @throws Error(data) unless `config` is an object.
  ConfigReader(const nlohmann::json& config, std::string where);
  /// Without `fallback` the field is required. null counts as absent.
  int64_t integer(std::string_view field, int64_t minimum, int64_t maximum, std::optional<int64_t> fallback = {}) const;
  double number(std::string_view field, double minimum, double maximum, std::optional<double> fallback = {}) const;
  std::string text(std::string_view field, std::optional<std::string> fallback = {}) const;
  bool flag(std::string_view field, bool fallback) const;
  bool has(std::string_view field) const { return find(field) != nullptr; }
  bool stated(std::string_view field) const { return config_.contains(std::string(field)); }  ///< null included
  const std::string& where() const { return where_; }

 private:
  const nlohmann::json* find(std::string_view field) const;
  [[noreturn]] void missing(std::string_view field, std::string_view expected) const;
  [[noreturn]] void wrong(std::string_view field, const nlohmann::json& found, std::string_view expected) const;
  const nlohmann::json& config_;
  std::string where_;
};

}  // namespace tsrun::model
