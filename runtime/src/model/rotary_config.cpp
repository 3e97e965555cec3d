// The fields of config.json that tell of rotary positions, as transformers 5 reads them.
#include "model/rotary.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <cmath>

namespace tsrun::model {
namespace {

/// A kind of scaling, and the fields that it reads beside rope_type and rope_theta.
struct ScalingKind {
  const char* name;
  Rotary::Scaling scaling;
  std::vector<std::string> fields;
};

const std::vector<ScalingKind>& scaling_kinds() {
  static const std::vector<ScalingKind> kinds = {
      {"default", Rotary::Scaling::none, {}},
      {"dynamic", Rotary::Scaling::dynamic, {"factor"}},
      {"linear", Rotary::Scaling::linear, {"factor"}},
      {"llama3", Rotary::Scaling::llama3, {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}},
      {"yarn",
       Rotary::Scaling::yarn,
       {"factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim",
        "truncate"}},
  };
  return kinds;
}

const ScalingKind& kind_of(const ConfigReader& reader) {
  const std::string name = reader.has("rope_type") ? reader.text("rope_type") : reader.text("type", "default");
  std::vector<std::string> known;
  for (const ScalingKind& kind : scaling_kinds()) {
    if (name == kind.name) return kind;
    known.emplace_back(kind.name);
  }
  data_error("{}: rotary scaling '{}' is not supported, expected {}{}", reader.where(), name, join_words(known), did_you_mean(name, known));
}

bool is_among(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Fields of any kind of scaling: those that `kind` does not read mean nothing.
const std::vector<std::string>& rotary_fields() {
  static const std::vector<std::string> fields = [] {
    // what transformers has for other kinds, and what YaRN's first release wrote
    std::vector<std::string> all = {"rope_type", "type", "rope_theta", "partial_rotary_factor", "short_factor", "long_factor", "finetuned"};
    for (const ScalingKind& kind : scaling_kinds()) all.insert(all.end(), kind.fields.begin(), kind.fields.end());
    return all;
  }();
  return fields;
}

void check_rotary_fields(const nlohmann::json& fields, const std::string& where) {
  for (const auto& [name, value] : fields.items()) {
    if (value.is_null() || value == false || is_among(name, rotary_fields())) continue;
    data_error("{}: field '{}' is {}, which is unknown in rotary positions{}", where, name, shortened(value),
               did_you_mean(name, rotary_fields()));
  }
}

/// 0.1 share ln(scale) + 1, YaRN's factor of the attention's temperature.
double yarn_amplitude(double scale, double share = 1) { return scale <= 1 ? 1 : 0.1 * share * std::log(scale) + 1; }

void read_yarn(const ConfigReader& reader, Rotary& rotary) {
  const auto number_or = [&](const char* field, double otherwise) {
    const double value = reader.number(field, 0, 1e6, 0.0);
    return value == 0 ? otherwise : value;
  };
  rotary.fast_rotations = number_or("beta_fast", 32);
  rotary.slow_rotations = number_or("beta_slow", 1);
  rotary.whole_dimensions = reader.flag("truncate", !reader.stated("truncate"));
  const double share = number_or("mscale", 0), share_of_all = number_or("mscale_all_dim", 0);
  const bool shares = share != 0 && share_of_all != 0;
  const double implied =
      shares ? yarn_amplitude(rotary.factor, share) / yarn_amplitude(rotary.factor, share_of_all) : yarn_amplitude(rotary.factor);
  rotary.amplitude = reader.number("attention_factor", 0, 1e6, implied);
}

void read_llama3(const ConfigReader& reader, Rotary& rotary) {
  rotary.low_frequency_factor = reader.number("low_freq_factor", 1e-3, 1e6);
  rotary.high_frequency_factor = reader.number("high_freq_factor", 1e-3, 1e6);
  if (rotary.high_frequency_factor > rotary.low_frequency_factor) return;
  data_error("{}: high_freq_factor is {}, expected more than low_freq_factor, which is {}", reader.where(), rotary.high_frequency_factor,
             rotary.low_frequency_factor);
}

void read_factor(const ConfigReader& reader, Rotary& rotary) {
  const bool implied = rotary.scaling == Rotary::Scaling::yarn && reader.stated("factor") && !reader.has("factor");
  const double ratio = static_cast<double>(rotary.positions) / static_cast<double>(rotary.original_positions);
  rotary.factor = implied ? ratio : reader.number("factor", 1e-3, 1e6);
}

/// The object with the fields: rope_scaling wins, as long as it says anything.
std::string rotary_object(const nlohmann::json& config) {
  for (const char* field : {"rope_scaling", "rope_parameters"}) {
    const auto found = config.find(field);
    if (found != config.end() && !found->is_null() && !(found->is_object() && found->empty())) return field;
  }
  return "";
}

void refuse_partial_rotation(const ConfigReader& reader) {
  const double share = reader.number("partial_rotary_factor", 0, 1, 1.0);
  if (share != 1) data_error("{}: field 'partial_rotary_factor' is {}, expected 1: whole heads turn", reader.where(), share);
}

/// The fields of the object itself. `whole` is the config.json around it.
void read_scaling(const ConfigReader& reader, const ConfigReader& whole, Rotary& rotary) {
  refuse_partial_rotation(reader);
  rotary.theta = reader.number("rope_theta", 1, 1e12, rotary.theta);
  rotary.scaling = kind_of(reader).scaling;
  if (rotary.scaling == Rotary::Scaling::none) return;
  const ConfigReader& trained = whole.has("original_max_position_embeddings") ? whole : reader;
  rotary.original_positions = trained.integer("original_max_position_embeddings", 1, int64_t{1} << 32, rotary.positions);
  read_factor(reader, rotary);
  if (rotary.scaling == Rotary::Scaling::llama3) read_llama3(reader, rotary);
  if (rotary.scaling == Rotary::Scaling::yarn) read_yarn(reader, rotary);
  if (rotary.scaling == Rotary::Scaling::yarn && rotary.theta == 1)
    data_error("{}: rope_theta is 1, expected more under rotary scaling 'yarn'", reader.where());
}

}  // namespace

Rotary read_rotary(const nlohmann::json& config, const std::string& where, int64_t size, int64_t positions) {
  const ConfigReader whole(config, where);
  Rotary rotary;
  rotary.positions = positions;
  rotary.theta = whole.number("rope_theta", 1, 1e12, 10000.0);
  refuse_partial_rotation(whole);
  const std::string object = rotary_object(config);
  if (object.empty()) return rotary;
  const ConfigReader reader(config.at(object), where + ": " + object);
  kind_of(reader);  // before the fields: those of an unknown kind are unknown
  check_rotary_fields(config.at(object), reader.where());
  read_scaling(reader, whole, rotary);
  if (rotary.scaling == Rotary::Scaling::dynamic && size == 2)
    data_error("{}: rotary scaling 'dynamic' with heads of size 2, expected more", reader.where());
  return rotary;
}

std::vector<std::string> idle_rotary_fields(const nlohmann::json& config) {
  const std::string object = rotary_object(config);
  if (object.empty() || !config.at(object).is_object()) return {};
  const ConfigReader reader(config.at(object), object);
  const ScalingKind& kind = kind_of(reader);
  std::vector<std::string> lines;
  for (const auto& [name, value] : config.at(object).items()) {
    const bool always = name == "rope_type" || name == "type" || name == "rope_theta" || name == "partial_rotary_factor";
    if (always || value.is_null() || value == false || is_among(name, kind.fields)) continue;
    lines.push_back(fmt::format("{}: rotary scaling '{}' does not read '{}'", object, kind.name, name));
  }
  return lines;
}

}  // namespace tsrun::model
