#include "model/config_reader.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <cmath>

namespace tsrun::model {
std::string shortened(const nlohmann::json& value) {
  constexpr size_t longest = 60;
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() <= longest) return text;
  text.resize(longest);
  return text.append(" …");
}

ConfigReader::ConfigReader(const nlohmann::json& config, std::string where) : config_(config), where_(std::move(where)) {
  if (!config.is_object()) data_error("{}: found {}, expected a JSON object", where_, shortened(config));
}

const nlohmann::json* ConfigReader::find(std::string_view field) const {
  const auto place = config_.find(std::string(field));
  return place == config_.end() || place->is_null() ? nullptr : &*place;
}

void ConfigReader::missing(std::string_view field, std::string_view expected) const {
  std::vector<std::string> known;
  for (const auto& item : config_.items()) known.push_back(item.key());
  data_error("{}: field '{}' is missing, expected {}{}", where_, field, expected, did_you_mean(field, known));
}

void ConfigReader::wrong(std::string_view field, const nlohmann::json& found, std::string_view expected) const {
  data_error("{}: field '{}' is {}, expected {}", where_, field, shortened(found), expected);
}

int64_t ConfigReader::integer(std::string_view field, int64_t minimum, int64_t maximum, std::optional<int64_t> fallback) const {
  const std::string expected = fmt::format("an integer from {} to {}", minimum, maximum);
  const nlohmann::json* value = find(field);
  if (!value && fallback) return *fallback;
  if (!value) missing(field, expected);
  if (!value->is_number()) wrong(field, *value, expected);
  const double number = value->get<double>();
  if (number != std::floor(number) || number < static_cast<double>(minimum) || number > static_cast<double>(maximum)) {
    wrong(field, *value, expected);
  }
  return value->get<int64_t>();
}

double ConfigReader::number(std::string_view field, double minimum, double maximum, std::optional<double> fallback) const {
  const std::string expected = fmt::format("a number from {} to {}", minimum, maximum);
  const nlohmann::json* value = find(field);
  if (!value && fallback) return *fallback;
  if (!value) missing(field, expected);
  if (!value->is_number()) wrong(field, *value, expected);
  const double number = value->get<double>();
  if (!(number >= minimum && number <= maximum)) wrong(field, *value, expected);
  return number;
}

std::string ConfigReader::text(std::string_view field, std::optional<std::string> fallback) const {
  const nlohmann::json* value = find(field);
  if (!value && fallback) return *fallback;
  if (!value) missing(field, "a string");
  if (!value->is_string()) wrong(field, *value, "a string");
  return value->get<std::string>();
}

bool ConfigReader::flag(std::string_view field, bool fallback) const {
  const nlohmann::json* value = find(field);
  if (!value) return fallback;
  if (!value->is_boolean()) wrong(field, *value, "true or false");
  return value->get<bool>();
}

}  // namespace tsrun::model
