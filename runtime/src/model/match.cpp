#include "model/match.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/model/model.h"

#include <algorithm>
#include <map>

namespace tsrun {
namespace {

bool starts_with_any(std::string_view name, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](const std::string& beginning) { return name.starts_with(beginning); });
}

bool ends_with_any(std::string_view name, const std::vector<std::string>& ends) {
  return std::any_of(ends.begin(), ends.end(), [&](const std::string& end) { return name.ends_with(end); });
}

/// The family's spelling of a checkpoint's name: with the base prefix, and with today's names of gains and biases (the oldest
/// checkpoints say gamma and beta).
std::string canonical(std::string name, const NameRules& rules) {
  if (starts_with_any(name, rules.base_modules)) name = rules.prefix + name;
  const auto respell = [&](std::string_view old, std::string_view now) {
    if (name.ends_with(old)) name.replace(name.size() - old.size(), old.size(), now);
  };
  respell("LayerNorm.gamma", "LayerNorm.weight");
  respell("LayerNorm.beta", "LayerNorm.bias");
  return name;
}

bool may_be_missing(const ParameterInfo& parameter) { return parameter.part == Part::pooler || parameter.part == Part::head; }

/// Everything that is wrong with a checkpoint, for one message.
struct Complaints {
  std::vector<std::string> lines;

  void raise(const std::string& where, std::string_view model_type) const {
    if (lines.empty()) return;
    constexpr size_t most = 40;
    std::string text;
    for (size_t i = 0; i < std::min(most, lines.size()); ++i) text += "\n  " + lines[i];
    if (lines.size() > most) text += fmt::format("\n  … and {} more", lines.size() - most);
    data_error("{}: the weights do not fit the '{}' model that config.json describes:{}", where, model_type, text);
  }
};

bool holds_numbers(const TensorInfo& tensor) {
  return tensor.type == DataType::float32 || tensor.type == DataType::float16 || tensor.type == DataType::bfloat16 ||
         tensor.type == DataType::float64;
}

std::vector<std::string> names_of(const Family& family) {
  std::vector<std::string> names;
  for (const ParameterInfo& parameter : family.parameters()) names.push_back(parameter.name);
  return names;
}

/// Sorts a checkpoint's tensors into those that the family knows, other heads' and surprises.
class Matcher {
 public:
  Matcher(const Family& family, const NameRules& rules) : family_(family), rules_(rules), names_(names_of(family)) {}

  void sort(const std::vector<TensorInfo>& tensors) {
    for (const TensorInfo& tensor : tensors) {
      if (ends_with_any(tensor.name, rules_.buffers)) continue;
      const std::string name = canonical(tensor.name, rules_);
      const bool known = std::find(names_.begin(), names_.end(), name) != names_.end();
      if (known && !found_.emplace(name, &tensor).second) complaints.lines.push_back(fmt::format("'{}' appears twice", name));
      if (!known) other(tensor, name);
    }
  }

  MatchedWeights take() {
    for (const ParameterInfo& parameter : family_.parameters()) take_one(parameter);
    return std::move(result_);
  }

  Complaints complaints;

 private:
  void other(const TensorInfo& tensor, const std::string& name) {
    const bool pooler = name.starts_with(rules_.prefix + "pooler.");
    if (pooler || starts_with_any(name, rules_.heads)) {
      result_.unused.push_back(tensor.name);
    } else {
      complaints.lines.push_back(fmt::format("unexpected '{}'{}", tensor.name, did_you_mean(name, names_)));
    }
  }

  void take_one(const ParameterInfo& parameter) {
    auto place = found_.find(parameter.name);
    if (const auto copy = rules_.copies.find(parameter.name); place == found_.end() && copy != rules_.copies.end())
      place = found_.find(copy->second);
    if (place == found_.end()) {
      if (may_be_missing(parameter)) result_.missing.push_back(parameter.name);
      if (!may_be_missing(parameter))
        complaints.lines.push_back(fmt::format("missing '{}' [{}]", parameter.name, fmt::join(parameter.shape, ", ")));
      return;
    }
    const TensorInfo& tensor = *place->second;
    if (tensor.shape != parameter.shape) {
      complaints.lines.push_back(
          fmt::format("'{}' has shape [{}], expected [{}]", tensor.name, fmt::join(tensor.shape, ", "), fmt::join(parameter.shape, ", ")));
    } else if (!holds_numbers(tensor)) {
      complaints.lines.push_back(fmt::format("'{}' is of type {}, expected F32, F16, BF16 or F64", tensor.name, name_of(tensor.type)));
    } else if (complaints.lines.empty()) {  // no copies for a checkpoint that will be refused
      result_.weights.set(parameter.name, as_float32(tensor));
    }
  }

  const Family& family_;
  const NameRules& rules_;
  std::vector<std::string> names_;
  std::map<std::string, const TensorInfo*> found_;
  MatchedWeights result_;
};

}  // namespace

MatchedWeights match_weights(const std::vector<TensorInfo>& tensors, const Family& family, const std::string& where) {
  Matcher matcher(family, family_entry(family.model_type()).names);
  matcher.sort(tensors);
  MatchedWeights matched = matcher.take();
  matcher.complaints.raise(where, family.model_type());
  return matched;
}

}  // namespace tsrun
