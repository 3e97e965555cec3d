#include "tsrun/experiment/peft_config.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/suggest.h"

#include <vector>

namespace tsrun {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// Fields of every type. The task type decides which heads are saved, and no more.
const PeftType& common() {
  static const PeftType fields{
      .name = {},
      .honoured = {"peft_type", "modules_to_save"},
      .idle = {"task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode"}};
  return fields;
}

/// Whether a field's value says that it is not used.
bool unused(const json& value, bool known) {
  return value.is_null() || value == false || (known && value.is_structured() && value.empty());
}

class FieldCheck {
 public:
  FieldCheck(const PeftType& type, const std::string& where) : type_(type), where_(where) {}

  void check(const std::string& name, const json& value) const {
    const bool refused = type_.refused.contains(name);
    if (unused(value, refused)) return;
    if (refused)
      data_error("{}: '{}' is {}, which changes what the delta computes and is not supported; expected null", where_, name, shown(value));
    for (const PeftType* known : {&common(), &type_})
      if (known->honoured.contains(name) || known->idle.contains(name)) return;
    data_error("{}: field '{}' is {}, and what it means for a delta of type {} is not known here; expected null or false{}", where_, name,
               shown(value), type_.name, did_you_mean(name, names()));
  }

 private:
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const PeftType* known : {&common(), &type_})
      for (const auto* set : {&known->honoured, &known->refused, &known->idle}) names.insert(names.end(), set->begin(), set->end());
    return names;
  }
  static std::string shown(const json& value) {
    const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
    return text.size() <= 80 ? text : text.substr(0, 80) + "…";
  }

  const PeftType& type_;
  const std::string& where_;
};

}  // namespace

ordered_json read_peft_config(const std::filesystem::path& file) {
  const std::string where = file.string();
  read_json(file);  // whose errors name the place
  auto config = ordered_json::parse(read_text(file));
  if (!config.is_object()) data_error("{}: found {}, expected an object", where, config.type_name());
  if (!config.value("peft_type", ordered_json()).is_string()) data_error("{}: peft_type is missing, expected the name of a method", where);
  return config;
}

void check_peft_fields(const ordered_json& config, const PeftType& type, const std::string& where) {
  for (const auto& [name, value] : config.items()) FieldCheck(type, where).check(name, value);
}

}  // namespace tsrun
