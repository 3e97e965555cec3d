#pragma once

#include "tsrun/linalg/layout.h"
#include "tsrun/model/family.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace tsrun {

/// A contiguous range of a layout that gets a coordinate vector of its own.
struct Group {
  std::string name;  ///< "layer 3", a tensor's name, "encoder"
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
  friend bool operator==(const Group&, const Group&) = default;
};

/// Parameters that a method acts on: a layout, and its cut into groups.
struct ParameterSet {
  Layout layout;
  std::vector<Group> groups;
  nlohmann::json to_json() const;
  static ParameterSet from_json(const nlohmann::json& json);  ///< @throws Error(data)
  friend bool operator==(const ParameterSet&, const ParameterSet&) = default;
};

/// Selection in a recipe: `parts` ("encoder", "decoder", "embeddings", "pooler", "head", "all"; the layers of every stack by default), or
/// layers, or name patterns (`*` matches any run of characters), and how to group: "layer", "tensor", "whole".
struct ParameterSelection {
  std::vector<std::string> parts = {"encoder", "decoder"};
  std::vector<int> layers;            ///< empty: all
  std::vector<std::string> patterns;  ///< empty: all
  std::string groups = "layer";
};
ParameterSelection parse_selection(const nlohmann::json& value, const std::string& where);
/// @throws Error(user) when nothing matches, with the nearest parameter names.
ParameterSet select_parameters(const Family& family, const ParameterSelection& selection);

/// Copies named weights into a flat float32 vector in layout order, and a flat vector back into named tensors (views of it).
at::Tensor flatten(const Weights& weights, const Layout& layout);
Weights unflatten(const at::Tensor& flat, const Layout& layout);

}  // namespace tsrun
