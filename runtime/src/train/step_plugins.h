#pragma once

#include "tsrun/train/train.h"
#include "tsrun/tune/binding.h"
#include "tsrun/tune/regularizer.h"
#include "tsrun/tune/selector.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tsrun::training {

/// Parameters that the plugins update in the optimiser's place. @throws Error(user) for one that two plugins update, or that `family` lacks
std::set<std::string> owned_parameters(const std::vector<StepPlugin>& plugins, const Family& family);

/// The selectors and regularisers of one training, called in the order given (tune/step_events.h). Every plugin has a key of its own.
class StepPlugins {
 public:
  StepPlugins() = default;
  StepPlugins(const std::vector<StepPlugin>& plugins, const MethodInputs& inputs);

  bool empty() const { return entries_.empty(); }
  const Wants& wants() const { return wants_; }

  /// Asks the selectors; the intersection of their scopes when one of them gave another.
  std::optional<Scope> scope(Step& step) { return asked(step, &Selector::scope); }
  std::optional<Scope> scope_after_backward(Step& step) { return asked(step, &Selector::scope_after_backward); }
  /// The intersection of the scopes given last, or restored; nullopt: none yet.
  std::optional<Scope> current() const;

  /// @throws Error(user) naming a plugin none of whose own parameters (`Wants::updated`) is among `groups`, which are trained
  void require_owners_at_work(const std::vector<ParameterGroup>& groups, const std::string& training) const;

  /// `key`: of this pass; every plugin gets its own part of it.
  void before_forward(Step& step, ForwardPass& pass, Key key);
  at::Tensor batch_loss(Step& step, ForwardPass& pass);  ///< sum of the terms; undefined: none
  at::Tensor step_loss(Step& step);
  void after_backward(Step& step);
  void before_update(Step& step);
  /// Each plugin moves what it owns; `parameters` are all that are owned and trained.
  void update(Step& step, const std::vector<OwnedParameter>& parameters);
  void after_update(Step& step);
  void epoch_ended(Step& step);

  std::vector<std::string> undecided() const;  ///< selectors that have given no scope
  std::vector<std::string> idle() const;       ///< selectors whose scopes froze nothing and masked nothing
  /// A list of {"name", …}; of a selector that has given no scope "undecided": true. Until the first step behind `restore` it is the
  /// restored one, since plugins need not keep what they only tell.
  nlohmann::json report() const;
  /// States and scopes as tensors by name, and what is no tensor.
  PluginState tensors() const;
  nlohmann::json scopes() const;
  void restore(const PluginState& tensors, const nlohmann::json& scopes, const nlohmann::json& report);

 private:
  struct Entry {
    std::string name;
    int64_t ordinal = 0;  ///< among plugins of one name
    std::unique_ptr<Selector> selector;
    std::unique_ptr<Regularizer> regularizer;
    std::optional<Scope> scope;   ///< what the selector chose last
    bool restricted = false;      ///< one of its scopes froze, slowed or masked something
    std::set<std::string> owned;  ///< parameters that it updates
    StepEvents& events() const { return selector ? static_cast<StepEvents&>(*selector) : *regularizer; }
  };
  /// Calls `event(entry)` for each, with the step's key made the plugin's own part of `key`.
  template <class Event>
  void each(Step& step, Key key, Event&& event);
  std::optional<Scope> asked(Step& step, std::optional<Scope> (Selector::*question)(Step&));
  std::string prefix(size_t i) const;

  std::vector<Entry> entries_;
  nlohmann::json restored_report_;  ///< null: a step was made
  Wants wants_{.whole_vocabulary = false};
};

}  // namespace tsrun::training
