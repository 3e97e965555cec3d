#pragma once

#include "tsrun/linalg/layout.h"
#include "tsrun/model/family.h"

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// Trained parameters, their rates and masks.
namespace tsrun {

/// Strength of a mask on the entries outside it.
enum class Freeze {
  gradient,  ///< their gradient is zero; moments and weight decay still move them (the reference code of DPS and Child-Tuning)
  update,    ///< they keep their value: the whole update is undone, decay included
  state,     ///< and their moments too
};
/// Treatment of the optimiser's moments when a scope replaces another.
enum class Moments {
  keep,   ///< they stay, those of frozen parameters too
  carry,  ///< entries that both scopes train keep theirs; all others start at zero (LIFT, where the old and the new mask meet)
  drop,   ///< of parameters that leave, come back, or get another mask, all entries start at zero
};

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
  /// The output of the frozen layers is computed once per row, without dropout, and read from memory or disk from then on.
  bool cache_prefix = false;
  Freeze freeze = Freeze::gradient;  ///< of masks
  Moments moments = Moments::keep;
  /// Gradient, moments and updated values of masked parameters exist for the chosen entries alone, which implies `freeze = state`. For
  /// scopes that hold from the first step to the last.
  bool compact = false;

  /// Entry of `parameter`; not trained when it lies in or below the frozen layers.
  Entry entry(const ParameterInfo& parameter) const;
  /// Layers from the bottom below which, and in which, nothing is trained; 0 when an embedding is. Of an encoder-decoder: of its encoder.
  int frozen_prefix(const Family& family) const;
  /// Whether it freezes, masks or slows anything of `family`.
  bool restricts(const Family& family) const;
  /// @throws Error(user) "`who`: …" for a parameter that `family` lacks (with the near miss), a mask of another shape or type, a rate below
  /// 0, more frozen layers than there are, and `cache_prefix` without frozen layers.
  void check(const Family& family, const std::string& who) const;
};

/// Trains `parts` and the parameters called `also`, and what `spanned` (a subspace's layout, or null) moves by its coordinates.
Scope scope_of_parts(const Family& family, const std::set<Part>& parts, const std::vector<std::string>& also = {},
                     const Layout* spanned = nullptr);

/// Trains these layers (0-based, a decoder's follow the encoder's), with what stands outside layers and embeddings; embeddings only when
/// asked. Everything below the lowest trained layer is frozen physically.
Scope scope_of_layers(const Family& family, const std::set<int>& layers, bool embeddings = false);

/// Parameters and entries that both train: rates multiply, masks intersect, the stricter freeze and moments hold.
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
