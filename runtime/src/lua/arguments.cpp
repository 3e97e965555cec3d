#include "lua/state.h"
#include "tsrun/base/suggest.h"

#include <charconv>

/// ts.arguments: a recipe's own option table, typed from its defaults, and the texts of --set brought to those types.
namespace tsrun::lua {
namespace {

using nlohmann::json;

const std::vector<std::string> kFields = {"default", "doc", "choices", "min", "max", "unit"};

OptionType type_of(const json& value, const std::string& place) {
  if (value.is_boolean()) return OptionType::boolean;
  if (value.is_number_integer()) return OptionType::integer;
  if (value.is_number()) return OptionType::number;
  if (value.is_string()) return OptionType::text;
  if (value.is_array()) return OptionType::list;
  user_error("{}: 'default' is {}, expected a number, text, a boolean or a list", place, value.dump());
}

std::optional<double> bound(const json& spec, const char* field, const std::string& place) {
  if (!spec.contains(field)) return std::nullopt;
  if (!spec[field].is_number()) user_error("{}: '{}' is {}, expected a number", place, field, spec[field].dump());
  return spec[field].get<double>();
}

std::string text_field(const json& spec, const char* field, const std::string& place) {
  if (!spec.contains(field)) return "";
  if (!spec[field].is_string()) user_error("{}: '{}' is {}, expected text", place, field, spec[field].dump());
  return spec[field].get<std::string>();
}

void check_fields(const json& spec, const std::string& place) {
  if (!spec.is_object()) user_error("{}: expected a table such as {{ default = 16, doc = \"…\" }}, found {}", place, spec.dump());
  for (const auto& [field, value] : spec.items())
    if (std::find(kFields.begin(), kFields.end(), field) == kFields.end())
      user_error("{}: unknown field '{}'{}; known: {}", place, field, did_you_mean(field, kFields), join_words(kFields));
}

void add_choices(Option& option, const json& spec, const std::string& place) {
  if (!spec.contains("choices")) return;
  if (!spec["choices"].is_array()) user_error("{}: 'choices' is {}, expected a list of texts", place, spec["choices"].dump());
  for (const auto& choice : spec["choices"]) {
    if (!choice.is_string()) user_error("{}: 'choices' holds {}, expected texts only", place, choice.dump());
    option.choices.push_back(choice.get<std::string>());
  }
  option.type = OptionType::choice;
}

Option declared_argument(const std::string& name, const json& spec) {
  const auto place = fmt::format("argument '{}'", name);
  check_fields(spec, place);
  Option option;
  option.name = name;
  option.required = !spec.contains("default");
  if (!option.required) {
    option.fallback = spec["default"];
    option.type = type_of(option.fallback, place);
  }
  option.minimum = bound(spec, "min", place);
  option.maximum = bound(spec, "max", place);
  option.doc = text_field(spec, "doc", place);
  option.unit = text_field(spec, "unit", place);
  add_choices(option, spec, place);
  return option;
}

/// A whole text as a number of type T, or nullopt.
template <class T>
std::optional<T> whole_number(const std::string& text) {
  T value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size() ? std::optional<T>(value) : std::nullopt;
}

/// `text` as a value of `type`; left as text when it is none, so that validation names what was found and expected.
json typed(const std::string& text, OptionType type) {
  if (type == OptionType::boolean && (text == "true" || text == "yes" || text == "on" || text == "1")) return true;
  if (type == OptionType::boolean && (text == "false" || text == "no" || text == "off" || text == "0")) return false;
  if (type == OptionType::integer || type == OptionType::number)
    if (const auto integer = whole_number<int64_t>(text)) return *integer;
  if (type == OptionType::number)
    if (const auto number = whole_number<double>(text)) return *number;
  return text;
}

/// "4,8,16", each element of the type that the default's first element has.
json typed_list(const std::string& text, const json& fallback) {
  const auto type = fallback.is_array() && !fallback.empty() ? type_of(fallback.front(), "list") : OptionType::text;
  json list = json::array();
  for (size_t begin = 0; begin <= text.size() && !text.empty();) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto element = typed(text.substr(begin, end - begin), type);
    if (element.is_string() && type != OptionType::text) return text;
    list.push_back(element);
    begin = end + 1;
  }
  return list;
}

}  // namespace

OptionTable declared_arguments(const json& declared) {
  OptionTable table;
  for (const auto& [name, spec] : declared.items()) table.add(declared_argument(name, spec));
  return table;
}

json resolve_arguments(const OptionTable& table, const std::map<std::string, std::string>& values) {
  std::vector<std::string> known;
  for (const auto& option : table.all()) known.push_back(option.name);
  json given = json::object();
  for (const auto& [name, text] : values) {
    const auto* option = table.find(name);
    if (option == nullptr) {
      const auto all = known.empty() ? "it takes none" : "it takes " + join_words(known);
      user_error("the recipe has no argument '{}' (--set {}={}){}; {}", name, name, text, did_you_mean(name, known), all);
    }
    given[name] = option->type == OptionType::list ? typed_list(text, option->fallback) : typed(text, option->type);
  }
  return table.resolve(given, "arguments").json();
}

}  // namespace tsrun::lua
