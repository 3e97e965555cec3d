#pragma once

#include "plugin/guard_call.h"
#include "tsrun/model/family.h"

#include <functional>
#include <utility>
#include <vector>

namespace tsrun::plugin {

/// Guards the hooks that a plugin adds to one list, at any position: earlier hooks are marked meanwhile.
template <class Result, class... Arguments>
class HookListGuard {
 public:
  using Hook = std::function<Result(Arguments...)>;
  explicit HookListGuard(std::vector<Hook>& hooks) {
    for (Hook& hook : hooks) hook = Known{std::move(hook)};
  }
  /// Unmarks the known hooks; guards the others as `call`.
  void finish(std::vector<Hook>& hooks, const GuardOrigin& origin, const char* call, ErrorKind kind) const {
    for (Hook& hook : hooks) {
      if (Known* known = hook.template target<Known>()) {
        hook = Hook(std::move(known->hook));
      } else {
        hook = [inner = std::move(hook), origin, call, kind](Arguments... arguments) {
          return origin.run(
              call, [&] { return inner(std::forward<Arguments>(arguments)...); }, kind);
        };
      }
    }
  }

 private:
  struct Known {
    Hook hook;
    Result operator()(Arguments... arguments) const { return hook(std::forward<Arguments>(arguments)...); }
  };
};
template <class Result, class... Arguments>
HookListGuard(std::vector<std::function<Result(Arguments...)>>&) -> HookListGuard<Result, Arguments...>;

/// Runs `body`, which may add hooks to `forward`, and guards those that it added.
template <class Body>
void guard_hooks(ForwardOptions& forward, const GuardOrigin& origin, ErrorKind kind, Body&& body) {
  const HookListGuard linear(forward.at_linear);
  const HookListGuard site(forward.at_site);
  const HookListGuard prefix(forward.attention_prefix);
  body();
  linear.finish(forward.at_linear, origin, "at_linear", kind);
  site.finish(forward.at_site, origin, "at_site", kind);
  prefix.finish(forward.attention_prefix, origin, "attention_prefix", kind);
}

}  // namespace tsrun::plugin
