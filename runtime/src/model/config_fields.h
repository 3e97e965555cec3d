#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace tsrun::model {

/// Fields of a family's config.json by their effect, beside those of every model. Names are transformers'.
struct FieldRules {
  std::vector<std::string> read;   ///< honoured
  std::vector<std::string> inert;  ///< without effect on the computation
  /// Supported for these values only.
  std::vector<std::pair<std::string, std::vector<nlohmann::json>>> fixed;
  /// Pairs of a field and its alias in transformers: {"hidden_size", "n_embd"}.
  std::vector<std::pair<std::string, std::string>> aliases;
  /// Names of ts.architecture and the fields that each sets: {"hidden", {"n_embd"}}.
  std::vector<std::pair<std::string, std::vector<std::string>>> sizes = {};
};

/// `config` with every alias under its field's own name. @throws Error(data) where the two contradict each other.
nlohmann::json without_aliases(const nlohmann::json& config, const FieldRules& rules, const std::string& where);

/// @throws Error(data) naming every unsupported field that would change the computation, and every unknown one other than null or false,
/// with the value found and the one expected
void check_fields(const nlohmann::json& config, const FieldRules& rules, const std::string& where);

/// Unknown fields without effect (null or false), one line each.
std::vector<std::string> idle_fields(const nlohmann::json& config, const FieldRules& rules);

}  // namespace tsrun::model
