#pragma once

#include "tsrun/model/family.h"

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <string>

/// What is trained, and how.
namespace tsrun {

/// What a mask keeps entries outside it from (specs of dynamic selection call these modes gradient, update and state).
enum class Freeze {
  gradient,  ///< their gradient is zero; moments and weight decay still move them (the reference code of DPS and Child-Tuning)
  update,    ///< they keep their value: the whole update is undone, decay included
  state,     ///< and their moments too
};
/// What becomes of the optimiser's moments of parameters that leave a scope: `drop` starts them at zero when they come back.
enum class Moments { keep, drop };

std::string_view name_of(Freeze freeze);
std::string_view name_of(Moments moments);

/// A choice among the parameters that a training would train otherwise; it can freeze and slow down, never add.
/// A frozen parameter has no gradient, no weight decay and no update. Layers below the lowest trained parameter record no graph.
struct Scope {
  struct Entry {
    bool trained = true;
    double rate = 1;  ///< factor of its group's learning rate, 0 or more
    at::Tensor mask;  ///< bool, of the parameter's shape: true where it is trained. Undefined: everywhere
  };
  std::map<std::string, Entry> parameters;  ///< by name; parameters that are not named stay as they were
  int frozen_layers = 0;                    ///< so many layers from the bottom are frozen, and the embeddings with them
  Freeze freeze = Freeze::gradient;         ///< of masks
  Moments moments = Moments::keep;

  /// What `parameter` is under this scope: its entry, not trained when it lies in or below the frozen layers.
  Entry entry(const ParameterInfo& parameter) const;
  /// Whether it freezes, masks or slows anything of `family`.
  bool restricts(const Family& family) const;
  /// @throws Error(user) "`who`: …" for a parameter that `family` lacks (with the near miss), a mask of another shape or type, a rate below
  /// 0, and more frozen layers than there are.
  void check(const Family& family, const std::string& who) const;
};

/// What both leave trained: rates multiply, masks keep what is in both, the stricter freeze and moments hold.
Scope intersection(const Scope& a, const Scope& b);

/// Folder form: scope.json, and masks.safetensors (one byte an element) where there are masks.
void save_scope(const Scope& scope, const nlohmann::json& table, const std::filesystem::path& folder);
/// @throws Error(data)
Scope load_scope(const std::filesystem::path& folder);

/// The same without files, for checkpoints: everything but masks, and the masks by parameter name.
nlohmann::json to_json(const Scope& scope);
std::map<std::string, at::Tensor> masks_of(const Scope& scope);
Scope scope_from(const nlohmann::json& json, const std::map<std::string, at::Tensor>& masks);

}  // namespace tsrun
