#include "halves.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <vector>

namespace tsrun::half_fine_tuning {
namespace {

using Place = std::pair<int, std::string>;   ///< layer and category
using Module = std::pair<int, std::string>;  ///< layer and name

std::string category_of(const ParameterInfo& info) {
  if (info.kind == ParameterKind::norm_weight || info.kind == ParameterKind::norm_bias) return "norms";
  std::string module = info.module;
  std::transform(module.begin(), module.end(), module.begin(), [](unsigned char c) { return std::tolower(c); });
  const bool attention = module.find("attention") != std::string::npos || module.find("attn") != std::string::npos;
  return attention ? "attention" : "feed_forward";
}

Place place_of(const ParameterInfo& info, const std::string& granularity) {
  if (granularity == "model") return {-1, ""};
  return {info.layer, granularity == "layer" ? "" : category_of(info)};
}

/// Modules by place, each once, in the model's order.
std::map<Place, std::vector<Module>> modules_by_place(const Family& family, const std::string& granularity) {
  std::map<Place, std::vector<Module>> places;
  for (const ParameterInfo& info : family.parameters()) {
    if (info.layer < 0) continue;
    std::vector<Module>& modules = places[place_of(info, granularity)];
    const Module module{info.layer, info.module};
    if (std::find(modules.begin(), modules.end(), module) == modules.end()) modules.push_back(module);
  }
  return places;
}

/// Number of trained modules of each of `places` places with `modules` modules each.
std::vector<int64_t> counts(double share, size_t modules, size_t places, Key key) {
  const double exact = share * static_cast<double>(modules);
  const auto least = static_cast<int64_t>(exact);
  const auto more = std::llround((exact - static_cast<double>(least)) * static_cast<double>(places));
  std::vector<int64_t> trained(places, least);
  const std::vector<int64_t> order = permutation(key, static_cast<int64_t>(places));
  for (int64_t i = 0; i < more; ++i) ++trained[static_cast<size_t>(order[static_cast<size_t>(i)])];
  return trained;
}

}  // namespace

Scope random_half(const Family& family, double share, const std::string& granularity, Key key) {
  const auto places = modules_by_place(family, granularity);
  std::map<std::pair<std::string, size_t>, std::vector<const std::vector<Module>*>> alike;  // by category and number of modules
  for (const auto& [place, modules] : places) alike[{place.second, modules.size()}].push_back(&modules);
  std::map<Module, bool> trained;
  for (const auto& [kind, lists] : alike) {
    const Key own = key.split(kind.first).split(kind.second);
    const std::vector<int64_t> of_each = counts(share, kind.second, lists.size(), own.split("places"));
    for (size_t i = 0; i < lists.size(); ++i) {
      const std::vector<int64_t> order = permutation(own.split(i), static_cast<int64_t>(kind.second));
      for (int64_t j = 0; j < of_each[i]; ++j) trained[lists[i]->at(static_cast<size_t>(order[static_cast<size_t>(j)]))] = true;
    }
  }
  Scope scope;
  for (const ParameterInfo& info : family.parameters())
    if (info.layer >= 0 && !trained.contains({info.layer, info.module})) scope.parameters[info.name].trained = false;
  return scope;
}

}  // namespace tsrun::half_fine_tuning
