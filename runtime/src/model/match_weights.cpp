#include "model/match_weights.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/model/model.h"

#include <algorithm>

namespace tsrun::model {
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

/// Complaints about a checkpoint, for one message.
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

/// Takes a family's parameters from a checkpoint's tensors and lists unused ones.
class Matcher {
 public:
  Matcher(const Family& family, const FamilyEntry& entry, StoredTensors stored)
      : family_(family),
        rules_(entry.names),
        names_(names_of(family)),
        stored_(std::move(stored)),
        tied_(ties_scores(family.config(), rules_.tie)) {}

  MatchedWeights take() {
    for (const auto& [name, tensor] : stored_) {
      if (std::find(names_.begin(), names_.end(), name) == names_.end() && !tied_away(name)) other(*tensor, name);
    }
    for (const ParameterInfo& parameter : family_.parameters()) take_one(parameter);
    return std::move(result_);
  }

  Complaints complaints;

 private:
  const TensorInfo* find(const std::string& name) const {
    const auto place = stored_.find(name);
    return place == stored_.end() ? nullptr : place->second;
  }

  /// The tensor of a parameter, under its own name or another that is tied to it.
  const TensorInfo* source_of(const std::string& name) const {
    if (const TensorInfo* own = find(name)) return own;
    const WordTie& tie = rules_.tie;
    if (name == tie.words) return stored_words(stored_, tie, tied_);
    if (!name.empty() && name == tie.bias) return find(tie.scores_bias);
    return !name.empty() && name == tie.scores_bias ? find(tie.bias) : nullptr;
  }

  /// Whether `name` is another name of a parameter of this family; then it must hold the parameter's values.
  bool tied_away(const std::string& name) {
    const WordTie& tie = rules_.tie;
    const bool scores = scores_words(family_.head().kind);
    const bool copy = std::find(tie.copies.begin(), tie.copies.end(), name) != tie.copies.end();
    if (copy || (tied_ && scores && name == tie.scores)) return same(name, stored_words(stored_, tie, tied_));
    if (tied_ && name == tie.scores && find(name) == source_of(tie.words)) return true;
    if (tied_ && scores && !name.empty() && name == tie.scores_bias) return same(name, source_of(tie.bias));
    return scores && !name.empty() && name == tie.bias;  // of scores that have a bias of their own
  }

  bool same(const std::string& name, const TensorInfo* source) {
    const TensorInfo& tensor = *find(name);
    if (!source || !holds_numbers(tensor) || !holds_numbers(*source) || same_values(tensor, *source)) return true;
    complaints.lines.push_back(
        fmt::format("'{}' and '{}' hold different values, expected equal ones: they are tied", tensor.name, source->name));
    return true;
  }

  void other(const TensorInfo& tensor, const std::string& name) {
    const bool pooler = name.starts_with(rules_.prefix + "pooler.");
    if (pooler || starts_with_any(name, rules_.heads)) {
      result_.unused.push_back(tensor.name);
    } else {
      complaints.lines.push_back(fmt::format("unexpected '{}'{}", tensor.name, did_you_mean(name, names_)));
    }
  }

  void take_one(const ParameterInfo& parameter) {
    const TensorInfo* source = source_of(parameter.name);
    if (!source) {
      if (may_be_missing(parameter)) result_.missing.push_back(parameter.name);
      if (!may_be_missing(parameter))
        complaints.lines.push_back(fmt::format("missing '{}' [{}]", parameter.name, fmt::join(parameter.shape, ", ")));
      return;
    }
    if (other_number_of_outputs(parameter, *source)) {
      complaints.lines.push_back(fmt::format("'{}' was made for {} labels (or values), but the task asks for {}", source->name,
                                             source->shape[0], parameter.shape[0]));
    } else if (source->shape != parameter.shape) {
      complaints.lines.push_back(fmt::format("'{}' has shape [{}], expected [{}]", source->name, fmt::join(source->shape, ", "),
                                             fmt::join(parameter.shape, ", ")));
    } else if (!holds_numbers(*source)) {
      complaints.lines.push_back(fmt::format("'{}' is of type {}, expected F32, F16, BF16 or F64", source->name, name_of(source->type)));
    } else if (complaints.lines.empty()) {  // no copies for a checkpoint that will be refused
      result_.weights.set(parameter.name, as_float32(*source));
    }
  }

  /// Whether the stored head is of the right kind but has another number of outputs.
  bool other_number_of_outputs(const ParameterInfo& parameter, const TensorInfo& tensor) const {
    const int64_t outputs = family_.head().outputs;
    if (parameter.part != Part::head || outputs == 0 || tensor.shape.size() != parameter.shape.size()) return false;
    return parameter.shape[0] == outputs && tensor.shape[0] != outputs &&
           std::equal(tensor.shape.begin() + 1, tensor.shape.end(), parameter.shape.begin() + 1);
  }

  const Family& family_;
  const NameRules& rules_;
  std::vector<std::string> names_;
  StoredTensors stored_;
  bool tied_;
  MatchedWeights result_;
};

}  // namespace

StoredTensors stored_tensors(const std::vector<TensorInfo>& tensors, const NameRules& rules, const std::string& where) {
  StoredTensors stored;
  for (const TensorInfo& tensor : tensors) {
    if (ends_with_any(tensor.name, rules.buffers)) continue;
    const auto [place, fresh] = stored.emplace(canonical(tensor.name, rules), &tensor);
    if (!fresh) data_error("{}: '{}' and '{}' are names of one weight", where, place->second->name, tensor.name);
  }
  return stored;
}

MatchedWeights match_weights(const std::vector<TensorInfo>& tensors, const Family& family, const std::string& where) {
  const FamilyEntry& entry = family_entry(family.model_type());
  Matcher matcher(family, entry, stored_tensors(tensors, entry.names, where));
  MatchedWeights matched = matcher.take();
  matcher.complaints.raise(where, family.model_type());
  return matched;
}

}  // namespace tsrun::model
