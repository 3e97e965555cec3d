#include "tsrun/tune/scope.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/tune/flat_buffer.h"
#include "tsrun/tune/selector.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tsrun {
namespace {

constexpr int scope_format = 2;
const char* const scope_index = "scope.json";
const char* const masks_name = "masks.safetensors";

template <class Value>
Value named_value(const std::string& name, std::initializer_list<Value> values) {
  for (const Value value : values)
    if (name_of(value) == name) return value;
  data_error("scope: unknown value '{}'", name);
}

std::vector<std::string> parameter_names(const Family& family) {
  std::vector<std::string> names;
  for (const ParameterInfo& info : family.parameters()) names.push_back(info.name);
  return names;
}

void check_entry(const std::string& name, const Scope::Entry& entry, const ParameterInfo& info, const std::string& who) {
  if (!(entry.rate >= 0) || !std::isfinite(entry.rate))
    user_error("{}: the rate of '{}' is {}, expected a finite number of 0 or more", who, name, entry.rate);
  if (!entry.mask.defined()) return;
  if (entry.mask.scalar_type() != at::kBool || entry.mask.sizes() != at::IntArrayRef(info.shape))
    user_error("{}: the mask of '{}' has {} elements in {} dimensions, expected a bool tensor of the parameter's own shape", who, name,
               entry.mask.numel(), entry.mask.dim());
}

bool in_frozen_layers(const ParameterInfo& info, int frozen_layers) {
  if (frozen_layers <= 0) return false;
  return info.part == Part::embeddings || (info.layer >= 0 && info.layer < frozen_layers);
}

/// Whether `layers` are of a decoder alone, below which an encoder stands.
bool skip_encoder(const Family& family, const std::set<int>& layers) {
  const auto& all = family.parameters();
  return family.model_kind() == ModelKind::encoder_decoder && std::none_of(all.begin(), all.end(), [&](const ParameterInfo& info) {
           return info.part == Part::encoder && layers.contains(info.layer);
         });
}

/// Chooses what it was given, once.
class StaticSelector final : public Selector {
 public:
  explicit StaticSelector(Scope scope) : scope_(std::move(scope)) {}
  std::optional<Scope> scope(Step& step) override { return step.number == 0 ? std::optional(scope_) : std::nullopt; }

 private:
  Scope scope_;
};

}  // namespace

std::string_view name_of(Freeze freeze) { return freeze == Freeze::gradient ? "gradient" : freeze == Freeze::update ? "update" : "state"; }
std::string_view name_of(Moments moments) { return moments == Moments::keep ? "keep" : moments == Moments::carry ? "carry" : "drop"; }

Scope::Entry Scope::entry(const ParameterInfo& parameter) const {
  const auto named = parameters.find(parameter.name);
  Entry result = named == parameters.end() ? Entry{} : named->second;
  result.trained = result.trained && !in_frozen_layers(parameter, frozen_layers);
  return result;
}

int Scope::frozen_prefix(const Family& family) const {
  int all = 0;
  for (const ParameterInfo& info : family.parameters())
    if (info.part == Part::encoder) all = std::max(all, info.layer + 1);
  int layers = all;
  for (const ParameterInfo& info : family.parameters()) {
    const bool above = info.part == Part::pooler || info.part == Part::head || info.part == Part::decoder;
    if (above || !entry(info).trained) continue;
    const bool is_final_norm = info.layer < 0 && info.part == Part::encoder;  // it belongs to the last layer's output
    layers = std::min(layers, is_final_norm ? all - 1 : std::max(info.layer, 0));
  }
  return std::max(layers, 0);
}

bool Scope::restricts(const Family& family) const {
  const auto& all = family.parameters();
  return std::any_of(all.begin(), all.end(), [&](const ParameterInfo& info) {
    const Entry found = entry(info);
    return !found.trained || found.rate != 1 || (found.mask.defined() && !found.mask.all().item<bool>());
  });
}

void Scope::check(const Family& family, const std::string& who) const {
  for (const auto& [name, entry] : parameters) {
    const ParameterInfo* info = find_parameter(family, name);
    if (info == nullptr)
      user_error("{}: '{}' is no parameter of the {} model{}", who, name, family.model_type(), did_you_mean(name, parameter_names(family)));
    check_entry(name, entry, *info, who);
  }
  if (frozen_layers < 0 || frozen_layers > family.layers())
    user_error("{}: {} frozen layers, expected 0 to {}, the layers of the model", who, frozen_layers, family.layers());
  if (cache_prefix && frozen_prefix(family) == 0)
    user_error("{}: cache_prefix, but the first layer or something before it is trained: there is nothing to keep", who);
}

Scope scope_of_parts(const Family& family, const std::set<Part>& parts, const std::vector<std::string>& also, const Layout* spanned) {
  Scope scope;
  for (const ParameterInfo& info : family.parameters()) {
    const bool named = std::find(also.begin(), also.end(), info.name) != also.end();
    const bool moved = spanned != nullptr && spanned->find(info.name) != nullptr;
    if (!parts.contains(info.part) && !named && !moved) scope.parameters[info.name].trained = false;
  }
  return scope;
}

Scope scope_of_layers(const Family& family, const std::set<int>& layers, bool embeddings) {
  Scope scope;
  const bool no_encoder = skip_encoder(family, layers);
  for (const ParameterInfo& info : family.parameters()) {
    const bool norm_below = no_encoder && info.part == Part::encoder && info.layer < 0;
    const bool frozen_layer = info.layer >= 0 && !layers.contains(info.layer);
    if (frozen_layer || norm_below || (info.part == Part::embeddings && !embeddings)) scope.parameters[info.name].trained = false;
  }
  if (!embeddings) scope.frozen_layers = layers.empty() ? family.layers() : *layers.begin();
  return scope;
}

Scope intersection(const Scope& a, const Scope& b) {
  Scope both = a;
  both.frozen_layers = std::max(a.frozen_layers, b.frozen_layers);
  both.freeze = std::max(a.freeze, b.freeze);
  both.moments = std::max(a.moments, b.moments);
  both.cache_prefix = a.cache_prefix || b.cache_prefix;
  both.compact = a.compact || b.compact;
  for (const auto& [name, entry] : b.parameters) {
    Scope::Entry& into = both.parameters[name];
    into.trained = into.trained && entry.trained;
    into.rate *= entry.rate;
    if (entry.mask.defined()) into.mask = into.mask.defined() ? into.mask.logical_and(entry.mask.to(into.mask.device())) : entry.mask;
  }
  return both;
}

nlohmann::json to_json(const Scope& scope) {
  nlohmann::json parameters = nlohmann::json::object();
  for (const auto& [name, entry] : scope.parameters)
    parameters[name] = {{"trained", entry.trained}, {"rate", entry.rate}, {"masked", entry.mask.defined()}};
  return {{"format", scope_format},
          {"parameters", parameters},
          {"frozen_layers", scope.frozen_layers},
          {"cache_prefix", scope.cache_prefix},
          {"freeze", name_of(scope.freeze)},
          {"moments", name_of(scope.moments)},
          {"compact", scope.compact}};
}

std::map<std::string, at::Tensor> masks_of(const Scope& scope) {
  std::map<std::string, at::Tensor> masks;
  for (const auto& [name, entry] : scope.parameters)
    if (entry.mask.defined()) masks[name] = entry.mask.to(at::kCPU, at::kByte).contiguous();
  return masks;
}

Scope scope_from(const nlohmann::json& json, const std::map<std::string, at::Tensor>& masks) {
  if (json.at("format") != scope_format) data_error("scope: format {}, expected {}", json.at("format").dump(), scope_format);
  Scope scope;
  scope.frozen_layers = json.at("frozen_layers").get<int>();
  scope.freeze = named_value(json.at("freeze").get<std::string>(), {Freeze::gradient, Freeze::update, Freeze::state});
  scope.moments = named_value(json.at("moments").get<std::string>(), {Moments::keep, Moments::carry, Moments::drop});
  scope.cache_prefix = json.at("cache_prefix").get<bool>();
  scope.compact = json.at("compact").get<bool>();
  for (const auto& [name, saved] : json.at("parameters").items()) {
    Scope::Entry entry{saved.at("trained").get<bool>(), saved.at("rate").get<double>(), {}};
    if (saved.at("masked").get<bool>()) {
      const auto mask = masks.find(name);
      if (mask == masks.end()) data_error("scope: the mask of '{}' is missing", name);
      entry.mask = mask->second.to(at::kBool);
    }
    scope.parameters[name] = entry;
  }
  return scope;
}

void save_scope(const Scope& scope, const nlohmann::json& table, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const auto masks = masks_of(scope);
  std::vector<TensorInfo> infos;
  for (const auto& [name, mask] : masks) {
    const std::span bytes(static_cast<const std::byte*>(mask.const_data_ptr()), static_cast<size_t>(mask.numel()));
    infos.push_back({name, DataType::uint8, mask.sizes().vec(), bytes});
  }
  if (!infos.empty()) write_safetensors(folder / masks_name, infos);
  nlohmann::json index = to_json(scope);
  index["table"] = table;
  write_durable(folder / scope_index, index.dump(1) + "\n");
}

Scope load_scope(const std::filesystem::path& folder) {
  const nlohmann::json index = read_json(folder / scope_index);
  std::map<std::string, at::Tensor> masks;
  if (std::filesystem::exists(folder / masks_name)) {
    const SafetensorsFile file = SafetensorsFile::open(folder / masks_name);
    for (const TensorInfo& info : file.tensors()) {
      at::Tensor mask = at::empty(info.shape, at::kByte);
      if (info.bytes.size() != static_cast<size_t>(mask.numel()))
        data_error("{}: '{}' has {} bytes, expected one an element", (folder / masks_name).string(), info.name, info.bytes.size());
      std::memcpy(mask.mutable_data_ptr(), info.bytes.data(), info.bytes.size());
      masks[info.name] = mask;
    }
  }
  try {
    return scope_from(index, masks);
  } catch (const nlohmann::json::exception& error) {
    data_error("{}: not a scope: {}", (folder / scope_index).string(), error.what());
  }
}

std::optional<Choice> SelectorMethod::choose(const MethodInputs& /*inputs*/, const Options& /*options*/) const { return std::nullopt; }

std::unique_ptr<Selector> SelectorMethod::make(const MethodInputs& inputs, const Options& options) const {
  auto choice = choose(inputs, options);
  return choice ? std::make_unique<StaticSelector>(std::move(choice->scope)) : nullptr;
}

}  // namespace tsrun
