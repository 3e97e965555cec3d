#include "experiment/handed_out.h"

#include <algorithm>
#include <functional>
#include <string>

namespace tsrun::experiment {
namespace {

using nlohmann::json;

bool is_void(const json& value) { return value.is_null() || (value.is_structured() && value.empty()); }

size_t mixed(size_t seed, size_t value) { return seed ^ (value + 0x9e3779b97f4a7c15ULL + (seed << 6U) + (seed >> 2U)); }

size_t digest_in_lua(const json& value) {
  if (is_void(value)) return 0;
  if (value.is_number()) return std::hash<double>()(value.get<double>());
  if (!value.is_structured()) return std::hash<json>()(value);
  size_t digest = value.is_array() ? 1 : 2;
  for (const auto& [name, member] : value.items()) {
    if (is_void(member) && value.is_object()) continue;
    if (value.is_object()) digest = mixed(digest, std::hash<std::string>()(name));
    digest = mixed(digest, digest_in_lua(member));
  }
  return digest;
}

bool is_handle(const json& value) { return value.is_object() && value.contains("artifact"); }

}  // namespace

bool holds_handle(const json& value) {
  return is_handle(value) || (value.is_structured() && std::any_of(value.begin(), value.end(), holds_handle));
}

HandedOut::Fields HandedOut::fields_of(const json& handle) {
  Fields fields;
  for (const auto& [name, member] : handle.items())
    if (!is_void(member)) fields[name] = digest_in_lua(member);
  return fields;
}

size_t HandedOut::identity_of(const json& handle) {
  return mixed(digest_in_lua(handle.at("artifact")), handle.contains("key") ? digest_in_lua(handle.at("key")) : 0);
}

bool HandedOut::knows_handle(const json& handle) const {
  const Fields given = fields_of(handle);
  const auto [begin, end] = handles_.equal_range(identity_of(handle));
  return std::any_of(
      begin, end, [&](const auto& known) { return std::includes(given.begin(), given.end(), known.second.begin(), known.second.end()); });
}

void HandedOut::remember(const json& result) {
  if (!result.is_structured()) return;
  if (is_handle(result) && !knows_handle(result)) handles_.emplace(identity_of(result), fields_of(result));
  for (const json& member : result) remember(member);
}

bool HandedOut::knows(const json& arguments) const {
  if (!arguments.is_structured()) return true;
  if (is_handle(arguments)) return knows_handle(arguments);
  for (const json& member : arguments)
    if (!knows(member)) return false;
  return true;
}

}  // namespace tsrun::experiment
