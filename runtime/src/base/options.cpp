#include "tsrun/base/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

namespace tsrun {

using nlohmann::json;

namespace {

// An artifact is {"artifact": kind, "key": digest, …}.
std::optional<std::string> kind_of_artifact(const json& value) {
  const auto kind = value.is_object() ? value.find("artifact") : value.end();
  return kind != value.end() && kind->is_string() ? std::optional(kind->get<std::string>()) : std::nullopt;
}

std::string shown(const json& value) {
  constexpr size_t most = 80;
  if (value.is_string()) return fmt::format("'{}'", value.get<std::string>().substr(0, most));
  if (const auto kind = kind_of_artifact(value)) return fmt::format("an artifact of kind {}", *kind);
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() <= most ? text : text.substr(0, most) + "…";
}

// Types beside its own that an option takes: of a list, say, "text".
std::vector<OptionType> others(const Option& option) {
  using enum OptionType;
  std::vector<OptionType> types;
  if (option.type == choice || option.type == artifact) return types;
  for (const OptionType type : {boolean, integer, number, text, list, table})
    if (std::find(option.choices.begin(), option.choices.end(), name_of(type)) != option.choices.end()) types.push_back(type);
  return types;
}

// "an integer from 1 to 1024", "a number of at least 0", "one of a, b and c"
std::string expected(const Option& option) {
  static const std::map<OptionType, std::string_view> nouns = {
      {OptionType::boolean, "true or false"}, {OptionType::integer, "an integer"},
      {OptionType::number, "a number"},       {OptionType::text, "text"},
      {OptionType::list, "a list"},           {OptionType::table, "a table"},
      {OptionType::artifact, "an artifact"},
  };
  if (option.type == OptionType::choice) return "one of " + join_words(option.choices);
  std::string text(nouns.at(option.type));
  if (option.type == OptionType::artifact && !option.choices.empty()) text += " of kind " + join_words(option.choices);
  for (const OptionType other : others(option)) text += fmt::format(" or {}", nouns.at(other));
  if (option.type == OptionType::list && (option.minimum || option.maximum)) text += " of numbers";
  if (option.minimum && option.maximum) return text + fmt::format(" from {} to {}", *option.minimum, *option.maximum);
  if (option.minimum) return text + fmt::format(" of at least {}", *option.minimum);
  if (option.maximum) return text + fmt::format(" of at most {}", *option.maximum);
  return text;
}

bool in_range(const Option& option, double value) {
  return std::isfinite(value) && (!option.minimum || value >= *option.minimum) && (!option.maximum || value <= *option.maximum);
}

std::optional<int64_t> as_integer(const json& value) {
  constexpr double limit = 9007199254740992.0;  // 2^53: beyond it a double no longer says which integer it means
  if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  if (!(std::abs(number) <= limit) || number != std::floor(number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

bool list_fits(const Option& option, const json& value) {
  if (!option.minimum && !option.maximum) return true;
  return std::all_of(value.begin(), value.end(),
                     [&](const json& item) { return item.is_number() && in_range(option, item.get<double>()); });
}

bool artifact_fits(const Option& option, const json& value) {
  const auto kind = kind_of_artifact(value);
  return kind && (option.choices.empty() || std::find(option.choices.begin(), option.choices.end(), *kind) != option.choices.end());
}

// The value in canonical form (so that 1 and 1.0 hash alike), or nothing when it does not fit the option taken as one of `type`.
// An empty Lua table may stand for an empty list or an empty table: either is taken for the other.
std::optional<json> fitted_as(OptionType type, const Option& option, const json& value) {
  switch (type) {
    case OptionType::boolean:
      return value.is_boolean() ? std::optional(value) : std::nullopt;
    case OptionType::integer: {
      const auto integer = as_integer(value);
      return integer && in_range(option, static_cast<double>(*integer)) ? std::optional<json>(*integer) : std::nullopt;
    }
    case OptionType::number:
      return value.is_number() && in_range(option, value.get<double>()) ? std::optional<json>(value.get<double>()) : std::nullopt;
    case OptionType::text:
      return value.is_string() ? std::optional(value) : std::nullopt;
    case OptionType::choice:
      return value.is_string() && std::find(option.choices.begin(), option.choices.end(), value.get<std::string>()) != option.choices.end()
                 ? std::optional(value)
                 : std::nullopt;
    case OptionType::list:
      if (value.is_object() && value.empty()) return json::array();
      return value.is_array() && list_fits(option, value) ? std::optional(value) : std::nullopt;
    case OptionType::table:
      if (value.is_array() && value.empty()) return json::object();
      return value.is_object() ? std::optional(value) : std::nullopt;
    case OptionType::artifact:
      return artifact_fits(option, value) ? std::optional(value) : std::nullopt;
  }
  internal_error("option '{}' has an unknown type", option.name);
}

std::optional<json> fitted(const Option& option, const json& value) {
  std::optional<json> found = fitted_as(option.type, option, value);
  for (const OptionType other : others(option))
    if (!found) found = fitted_as(other, option, value);
  return found;
}

json checked(const Option& option, const json& value, std::string_view where) {
  if (auto result = fitted(option, value)) return *std::move(result);
  const bool near = option.type == OptionType::choice && value.is_string();
  user_error("{}: option '{}' is {}, expected {}{}", where, option.name, shown(value), expected(option),
             near ? did_you_mean(value.get<std::string>(), option.choices) : "");
}

/// Names of Hugging Face's trainer and of PEFT's LoRA for options that are called otherwise here.
const std::map<std::string, std::string, std::less<>> names_elsewhere = {{"learning_rate", "lr"},
                                                                         {"num_train_epochs", "epochs"},
                                                                         {"num_epochs", "epochs"},
                                                                         {"per_device_train_batch_size", "batch_size"},
                                                                         {"optimizer", "optim"},
                                                                         {"label_smoothing", "label_smoothing_factor"},
                                                                         {"lr_scheduler", "lr_scheduler_type"},
                                                                         {"gradient_clipping", "max_grad_norm"},
                                                                         {"bf16", "precision"},
                                                                         {"rank", "r"},
                                                                         {"lora_alpha", "alpha"},
                                                                         {"lora_dropout", "dropout"}};

/// " (did you mean 'lr'?)", or "".
std::string near_name(const std::string& given, const std::vector<std::string>& known) {
  const auto elsewhere = names_elsewhere.find(given);
  if (elsewhere != names_elsewhere.end() && std::find(known.begin(), known.end(), elsewhere->second) != known.end())
    return fmt::format(" (did you mean '{}'?)", elsewhere->second);
  return did_you_mean(given, known);
}

}  // namespace

bool Options::has(std::string_view name) const {
  const auto found = values_.find(std::string(name));
  return found != values_.end() && !found->is_null();
}

const json& Options::value(std::string_view name) const {
  static const nlohmann::json absent = nullptr;
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? absent : *found;
}

bool Options::flag(std::string_view name) const {
  const nlohmann::json& found = value(name);
  if (!found.is_boolean()) internal_error("option '{}' is {}, read as a flag", name, shown(found));
  return found.get<bool>();
}
int64_t Options::integer(std::string_view name) const {
  const nlohmann::json& found = value(name);
  if (const auto integer = as_integer(found)) return *integer;
  internal_error("option '{}' is {}, read as an integer", name, shown(found));
}
double Options::number(std::string_view name) const {
  const nlohmann::json& found = value(name);
  if (!found.is_number()) internal_error("option '{}' is {}, read as a number", name, shown(found));
  return found.get<double>();
}
std::string Options::text(std::string_view name) const {
  const nlohmann::json& found = value(name);
  if (!found.is_string()) internal_error("option '{}' is {}, read as text", name, shown(found));
  return found.get<std::string>();
}
std::vector<std::string> Options::texts(std::string_view name) const {
  const nlohmann::json& found = value(name);
  if (found.is_string()) return {found.get<std::string>()};
  std::vector<std::string> result;
  for (const nlohmann::json& item : found) {
    if (!item.is_string()) user_error("option '{}' holds {}, expected a list of texts", name, shown(item));
    result.push_back(item.get<std::string>());
  }
  return result;
}

OptionTable::OptionTable(std::initializer_list<Option> options) {
  for (const Option& option : options) add(option);
}

OptionTable& OptionTable::add(Option option) {
  if (find(option.name)) internal_error("option '{}' is declared twice", option.name);
  if (!option.fallback.is_null()) {
    if (!fitted(option, option.fallback))
      internal_error("option '{}': its default {} is not {}", option.name, shown(option.fallback), expected(option));
  }
  options_.push_back(std::move(option));
  return *this;
}

OptionTable& OptionTable::include(const OptionTable& other) {
  for (const Option& option : other.options_) add(option);
  return *this;
}

const Option* OptionTable::find(std::string_view name) const {
  const auto found = std::find_if(options_.begin(), options_.end(), [&](const Option& option) { return option.name == name; });
  return found == options_.end() ? nullptr : &*found;
}

Options OptionTable::resolve(const json& given, std::string_view where) const {
  const bool nothing = given.is_null() || (given.is_array() && given.empty());
  if (!nothing && !given.is_object()) user_error("{}: options are {}, expected a table of names and values", where, shown(given));
  json values = json::object();
  if (!nothing) {
    std::vector<std::string> names;
    for (const Option& option : options_) names.push_back(option.name);
    for (const auto& [name, value] : given.items()) {
      const Option* option = find(name);
      if (!option) {
        const std::string near = near_name(name, names);
        user_error("{}: unknown option '{}'{}", where, name, near.empty() && !names.empty() ? "; known are " + join_words(names) : near);
      }
      if (!value.is_null()) values[name] = checked(*option, value, where);
    }
  }
  for (const Option& option : options_) {
    if (values.contains(option.name)) continue;
    if (option.required) user_error("{}: option '{}' is missing, expected {} ({})", where, option.name, expected(option), option.doc);
    if (!option.fallback.is_null()) values[option.name] = checked(option, option.fallback, where);
  }
  return Options(std::move(values));
}

std::string OptionTable::describe() const {
  std::vector<std::array<std::string, 3>> rows;
  std::array<size_t, 3> widths{};
  for (const Option& option : options_) {
    const bool bounded = option.minimum || option.maximum || !option.choices.empty();
    const std::string type = bounded ? expected(option) : std::string(name_of(option.type));
    const std::string fallback = option.required             ? "required"
                                 : option.fallback.is_null() ? "optional"
                                                             : "default " + shown(option.fallback);
    rows.push_back({option.name, option.unit.empty() ? type : type + ", in " + option.unit, fallback});
    for (size_t i = 0; i < 3; ++i) widths[i] = std::max(widths[i], rows.back()[i].size());
  }
  std::string text;
  for (size_t i = 0; i < rows.size(); ++i) {
    text +=
        fmt::format("  {:<{}}  {:<{}}  {:<{}}  {}\n", rows[i][0], widths[0], rows[i][1], widths[1], rows[i][2], widths[2], options_[i].doc);
  }
  return text;
}

std::string_view name_of(OptionType type) {
  switch (type) {
    case OptionType::boolean:
      return "boolean";
    case OptionType::integer:
      return "integer";
    case OptionType::number:
      return "number";
    case OptionType::text:
      return "text";
    case OptionType::choice:
      return "choice";
    case OptionType::list:
      return "list";
    case OptionType::table:
      return "table";
    case OptionType::artifact:
      return "artifact";
  }
  internal_error("unknown option type {}", static_cast<int>(type));
}

}  // namespace tsrun
