#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/tune/delta.h"
#include "tune/patterns.h"

#include <algorithm>
#include <map>

namespace tsrun {
namespace {

bool in_layers(const ParameterInfo& info) { return (info.part == Part::encoder || info.part == Part::decoder) && info.layer >= 0; }

/// Sites by the module that makes them; a fused map makes several.
std::multimap<std::string, std::string> sites_of_modules(const Family& family) {
  std::multimap<std::string, std::string> sites;
  for (const Site& site : family.sites()) sites.emplace(site.module, std::string(name_of(site.kind)));
  return sites;
}

class TargetFinder {
 public:
  explicit TargetFinder(const Family& family) : modules_(linear_modules(family)), sites_(sites_of_modules(family)) {}

  const std::vector<LinearModule>& modules() const { return modules_; }

  bool means(const std::string& target, const LinearModule& module) const {
    if (target == "all-linear") return true;
    if (target.find('*') != std::string::npos) return matches(target, module.name);
    const auto [first, last] = sites_.equal_range(module.name);
    if (std::any_of(first, last, [&](const auto& site) { return site.second == target; })) return true;
    return module.name == target || module.name.ends_with("." + target);
  }

  /// Everything that a target could have been.
  std::vector<std::string> known_names() const {
    std::vector<std::string> names = {"all-linear"};
    const auto add = [&](const std::string& name) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    for (const auto& [module, site] : sites_) {
      if (std::any_of(modules_.begin(), modules_.end(), [&](const auto& m) { return m.name == module; })) add(site);
    }
    for (const LinearModule& module : modules_) add(module.name.substr(module.name.rfind('.') + 1));
    return names;
  }

  void require_a_match(const std::string& target, const std::string& where) const {
    if (std::any_of(modules_.begin(), modules_.end(), [&](const auto& module) { return means(target, module); })) return;
    const auto known = known_names();
    user_error("{}: '{}' matches no linear map of the model{}; there are {}", where, target, did_you_mean(target, known),
               join_words(known));
  }

 private:
  std::vector<LinearModule> modules_;
  std::multimap<std::string, std::string> sites_;
};

}  // namespace

std::vector<LinearModule> linear_modules(const Family& family) {
  std::vector<LinearModule> modules;
  for (const ParameterInfo& info : family.parameters()) {
    if (!in_layers(info) || info.kind != ParameterKind::weight || info.shape.size() != 2) continue;
    const std::string name = info.name.substr(0, info.name.size() - std::string(".weight").size());
    modules.push_back({name, info.layer, info.shape[info.transposed ? 0 : 1], info.shape[info.transposed ? 1 : 0], info.transposed});
  }
  return modules;
}

std::vector<Target> find_targets(const Family& family, const std::vector<std::string>& targets, const std::vector<std::string>& excluded,
                                 const std::string& where) {
  const TargetFinder finder(family);
  if (targets.empty()) user_error("{}: no targets are given; there are {}", where, join_words(finder.known_names()));
  for (const auto* list : {&targets, &excluded}) {
    for (const std::string& target : *list) finder.require_a_match(target, where);
  }
  std::vector<Target> found;
  for (const LinearModule& module : finder.modules()) {
    const auto meant = [&](const std::string& target) { return finder.means(target, module); };
    const auto target = std::find_if(targets.begin(), targets.end(), meant);
    if (target != targets.end() && std::none_of(excluded.begin(), excluded.end(), meant)) found.push_back({*target, module});
  }
  if (found.empty()) user_error("{}: every module that the targets match is excluded", where);
  return found;
}

}  // namespace tsrun
