#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace tsrun {

/// What the fields of a family's config.json are to it, beside those that every model may have. Names are transformers'.
struct FieldRules {
  std::vector<std::string> read;   ///< honoured
  std::vector<std::string> inert;  ///< whatever they say, a model computes the same
  /// Computed for these values alone.
  std::vector<std::pair<std::string, std::vector<nlohmann::json>>> fixed;
  /// Names that transformers takes for a field: {"hidden_size", "n_embd"}.
  std::vector<std::pair<std::string, std::string>> aliases;
};

/// `config` with every alias under its field's own name. @throws Error(data) where the two contradict each other.
nlohmann::json without_aliases(const nlohmann::json& config, const FieldRules& rules, const std::string& where);

/// @throws Error(data) naming every field that would change the computation and is not honoured, and every unknown one that says anything
/// but null or false. What is found, what is expected.
void check_fields(const nlohmann::json& config, const FieldRules& rules, const std::string& where);

/// Fields that are unknown and cannot matter, one line each.
std::vector<std::string> idle_fields(const nlohmann::json& config, const FieldRules& rules);

}  // namespace tsrun
