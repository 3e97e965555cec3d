#include "train/step_plugins.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <algorithm>

namespace tsrun::training {
namespace {

at::Tensor sum_of(const at::Tensor& sum, const at::Tensor& term, const std::string& plugin, const char* event) {
  if (!term.defined()) return sum;
  if (term.numel() != 1) run_error("plugin {}: {}: a loss of {} elements, expected a scalar", plugin, event, term.numel());
  const at::Tensor scalar = term.reshape({});
  return sum.defined() ? sum + scalar : scalar;
}

PluginState with_prefix(const PluginState& all, const std::string& prefix) {
  PluginState own;
  for (const auto& [name, tensor] : all)
    if (name.starts_with(prefix)) own[name.substr(prefix.size())] = tensor;
  return own;
}

std::set<std::string> owned_by(const StepPlugin& plugin, const Family& family) {
  if (!plugin.wants.updated) return {};
  const auto names = plugin.wants.updated(family);
  return {names.begin(), names.end()};
}

}  // namespace

std::set<std::string> owned_parameters(const std::vector<StepPlugin>& plugins, const Family& family) {
  std::map<std::string, std::string> owners;
  for (const StepPlugin& plugin : plugins) {
    for (const std::string& name : owned_by(plugin, family)) {
      const auto [owner, fresh] = owners.emplace(name, plugin.name);
      if (!fresh) user_error("plugins {} and {} both update '{}'; expected one of them", owner->second, plugin.name, name);
    }
  }
  std::set<std::string> known, all;
  for (const ParameterInfo& info : family.parameters()) known.insert(info.name);
  for (const auto& [name, owner] : owners) {
    if (!known.contains(name)) user_error("plugin {} would update '{}', which the model lacks", owner, name);
    all.insert(name);
  }
  return all;
}

StepPlugins::StepPlugins(const std::vector<StepPlugin>& plugins, const MethodInputs& inputs) {
  for (const StepPlugin& plugin : plugins) {
    const auto alike = [&](const Entry& entry) { return entry.name == plugin.name; };
    Entry entry{plugin.name,
                std::count_if(entries_.begin(), entries_.end(), alike),
                nullptr,
                nullptr,
                std::nullopt,
                false,
                owned_by(plugin, inputs.family)};
    MethodInputs own = inputs;
    own.key = inputs.key.split(entry.name).split(static_cast<uint64_t>(entry.ordinal));
    if (plugin.selector) entry.selector = plugin.selector(own);
    if (plugin.regularizer) entry.regularizer = plugin.regularizer(own);
    if (!entry.selector && !entry.regularizer)
      user_error("plugin {} runs on no schedule; expected ts.select, and its result as option 'scope'", plugin.name);
    wants_.whole_vocabulary = wants_.whole_vocabulary || plugin.wants.whole_vocabulary;
    wants_.hidden_states = wants_.hidden_states || plugin.wants.hidden_states;
    wants_.origin = wants_.origin || plugin.wants.origin;
    entries_.push_back(std::move(entry));
  }
  // Selectors first; the order given otherwise.
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.selector && !b.selector; });
}

void StepPlugins::require_owners_at_work(const std::vector<ParameterGroup>& groups, const std::string& training) const {
  for (const Entry& entry : entries_) {
    const auto moves = [&](const ParameterGroup& group) {
      const auto slices = group.owned ? group.layout.slices() : std::vector<Slice>();
      return std::any_of(slices.begin(), slices.end(), [&](const Slice& slice) { return entry.owned.contains(slice.name); });
    };
    if (entry.owned.empty() || std::any_of(groups.begin(), groups.end(), moves)) continue;
    std::vector<std::string> trained;
    for (const ParameterGroup& group : groups) trained.push_back(group.name);
    user_error("{}: the plugin {} updates '{}' and {} more, none of which is trained; trained are {}", training, entry.name,
               *entry.owned.begin(), entry.owned.size() - 1, join_words(trained));
  }
}

template <class Event>
void StepPlugins::each(Step& step, Key key, Event&& event) {
  const Key asker = step.key;
  for (Entry& entry : entries_) {
    step.key = key.split(entry.name).split(static_cast<uint64_t>(entry.ordinal));
    step.chosen = entry.scope ? &*entry.scope : nullptr;
    event(entry);
  }
  step.key = asker;
  step.chosen = nullptr;
}

std::optional<Scope> StepPlugins::current() const {
  std::optional<Scope> all;
  for (const Entry& entry : entries_)
    if (entry.scope) all = all ? intersection(*all, *entry.scope) : *entry.scope;
  return all;
}

std::optional<Scope> StepPlugins::asked(Step& step, std::optional<Scope> (Selector::*question)(Step&)) {
  restored_report_ = nullptr;
  bool changed = false;
  each(step, step.key, [&](Entry& entry) {
    if (!entry.selector) return;
    auto scope = (*entry.selector.*question)(step);
    if (!scope) return;
    scope->check(step.family, "selector " + entry.name);
    entry.restricted = entry.restricted || scope->restricts(step.family);
    entry.scope = std::move(scope);
    changed = true;
  });
  return changed ? current() : std::nullopt;
}

void StepPlugins::before_forward(Step& step, ForwardPass& pass, Key key) {
  each(step, key, [&](Entry& entry) { entry.events().before_forward(step, pass); });
}

at::Tensor StepPlugins::batch_loss(Step& step, ForwardPass& pass) {
  at::Tensor sum;
  each(step, step.key, [&](Entry& entry) { sum = sum_of(sum, entry.events().batch_loss(step, pass), entry.name, "batch_loss"); });
  return sum;
}

at::Tensor StepPlugins::step_loss(Step& step) {
  at::Tensor sum;
  each(step, step.key, [&](Entry& entry) { sum = sum_of(sum, entry.events().step_loss(step), entry.name, "step_loss"); });
  return sum;
}

void StepPlugins::after_backward(Step& step) {
  each(step, step.key, [&](Entry& entry) { entry.events().after_backward(step); });
}
void StepPlugins::before_update(Step& step) {
  each(step, step.key, [&](Entry& entry) { entry.events().before_update(step); });
}
void StepPlugins::update(Step& step, const std::vector<OwnedParameter>& parameters) {
  each(step, step.key, [&](Entry& entry) {
    std::vector<OwnedParameter> own;
    for (const OwnedParameter& parameter : parameters)
      if (entry.owned.contains(parameter.name)) own.push_back(parameter);
    if (!own.empty()) entry.events().update(step, own);
  });
}
void StepPlugins::after_update(Step& step) {
  each(step, step.key, [&](Entry& entry) { entry.events().after_update(step); });
}
void StepPlugins::epoch_ended(Step& step) {
  each(step, step.key, [&](Entry& entry) { entry.events().epoch_ended(step); });
}

std::vector<std::string> StepPlugins::undecided() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_)
    if (entry.selector && !entry.scope) names.push_back(entry.name);
  return names;
}

std::vector<std::string> StepPlugins::idle() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_)
    if (entry.scope && !entry.restricted) names.push_back(entry.name);
  return names;
}

nlohmann::json StepPlugins::report() const {
  if (!restored_report_.is_null()) return restored_report_;
  nlohmann::json list = nlohmann::json::array();
  for (const Entry& entry : entries_) {
    nlohmann::json one = entry.events().report();
    one["name"] = entry.name;
    if (entry.selector && !entry.scope) one["undecided"] = true;
    list.push_back(one);
  }
  return list;
}

std::string StepPlugins::prefix(size_t i) const { return fmt::format("{}.", i); }

PluginState StepPlugins::tensors() const {
  PluginState all;
  for (size_t i = 0; i < entries_.size(); ++i) {
    for (const auto& [name, tensor] : entries_[i].events().state()) all[prefix(i) + "state." + name] = tensor;
    if (!entries_[i].scope) continue;
    for (const auto& [name, mask] : masks_of(*entries_[i].scope)) all[prefix(i) + "mask." + name] = mask;
  }
  return all;
}

nlohmann::json StepPlugins::scopes() const {
  nlohmann::json list = nlohmann::json::array();
  for (const Entry& entry : entries_) {
    list.push_back(entry.scope ? to_json(*entry.scope) : nlohmann::json());
    if (entry.scope) list.back()["restricted"] = entry.restricted;
  }
  return list;
}

void StepPlugins::restore(const PluginState& tensors, const nlohmann::json& scopes, const nlohmann::json& report) {
  restored_report_ = report;
  for (size_t i = 0; i < entries_.size(); ++i) {
    entries_[i].events().restore(with_prefix(tensors, prefix(i) + "state."));
    if (scopes.at(i).is_null()) continue;
    entries_[i].scope = scope_from(scopes.at(i), with_prefix(tensors, prefix(i) + "mask."));
    entries_[i].restricted = scopes.at(i).at("restricted").get<bool>();
  }
}

}  // namespace tsrun::training
