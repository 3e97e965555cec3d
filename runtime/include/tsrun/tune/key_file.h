#pragma once

#include "tsrun/tune/subspace.h"

#include <functional>

/// The folder form of a subspace that is drawn again from a key: key.json has the key, the choices that it was drawn by, the layout, and a
/// digest of the first numbers drawn.
namespace tsrun {

/// `choices` is an object without the fields key, layout and digest.
void save_key(const std::filesystem::path& folder, const ParameterSet& parameters, Key key, const nlohmann::json& choices,
              const std::string& digest);

/// What a key and choices draw, and the digest of it.
struct DrawnSubspace {
  std::unique_ptr<Subspace> subspace;
  std::string digest;
};
/// Draws again. @throws Error(data) for another layout, choices that `draw` cannot read (by at() and get()), and another digest: a machine
/// that draws other numbers.
std::unique_ptr<Subspace> load_key(const std::filesystem::path& folder, const ParameterSet& parameters,
                                   const std::function<DrawnSubspace(Key key, const nlohmann::json& choices)>& draw);

}  // namespace tsrun
