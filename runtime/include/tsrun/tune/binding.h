#pragma once

#include "tsrun/linalg/layout.h"
#include "tsrun/tune/mask.h"
#include "tsrun/tune/scope.h"
#include "tsrun/tune/step_events.h"
#include "tsrun/tune/subspace.h"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// Turns trainable parameters into weights. Every way of tuning is a binding, and the trainer knows nothing else of it.
namespace tsrun {

/// A flat float32 vector with its gradient, of one learning rate and decay, as the optimiser updates it.
struct ParameterGroup {
  std::string name;     ///< "encoder", "decoder", "z", "embeddings", "pooler", "head"
  at::Tensor value;     ///< [n]; updated in place by the optimiser
  at::Tensor gradient;  ///< [n]; filled by backward and gather_gradients
  double lr = 0;        ///< absolute learning rate
  double weight_decay = 0;
  /// Ranges that the optimiser updates, ascending, each within one slice of `layout` or over several; absent: all of it, at rate 1 and
  /// `weight_decay`. (Biases and norms are not decayed, as is usual.)
  std::optional<std::vector<Span>> spans;
  /// The tensors that lie end to end in `value`, for optimisers that treat each on its own. Coordinates are one tensor of one dimension,
  /// the h·d numbers of an ensemble too: its copies share one step size.
  Layout layout;
  bool owned = false;  ///< its update is a plugin's (`Wants::updated`): the optimiser neither moves it nor holds anything for it
};

struct TuneOptions {
  /// Trained parameters, from the first step to the last. Frozen ones have no flat vector, no gradient and no moments. With a
  /// subspace only z moves what it spans, and layers outside it are frozen in any case.
  Scope scope;
  /// Parameters that plugins update in the optimiser's place.
  std::set<std::string> owned = {};
  double lr = 5e-5;                             ///< encoder and decoder in full space, and deltas
  double lr_embeddings = 5e-5, lr_head = 5e-5;  ///< pooler goes with the head
  double lr_subspace = 0.01;
  /// Of each group's coordinates, in the order of the subspace's groups, instead of `lr_subspace`; empty: that one for all.
  std::vector<double> lr_groups;
  double weight_decay = 0;
  /// Encoder weights held at zero (from the start on) or only set to zero once.
  std::shared_ptr<const Mask> zeroed;
  bool hold_zero = true;
  /// Positions whose update is removed: held at the origin's value.
  std::shared_ptr<const Mask> held;
  /// Subspace training.
  std::shared_ptr<const Subspace> subspace;
  double init_deviation = 0;  ///< σ of each z^(i); 0: start from zero
  int64_t ensemble = 1;       ///< h copies of z, averaged (Z23 section 3.3)
  bool optimise_z = true;     ///< false: another than the optimiser moves z (train/few_unknowns.h)
  bool gradients = true;      ///< false: nothing but z moves, by forward passes alone; no gradient has a buffer
};

/// Effect of the scopes of a training so far.
struct ScopeUse {
  int64_t changes = 0;      ///< calls of Binding::rescope
  bool restricted = false;  ///< one of them froze or slowed a trained parameter
  bool masked = false;      ///< some scope had a mask with an entry outside
  bool acted = false;       ///< a mask has met a gradient that was not zero
};

/// Leaf weights are views into one flat buffer per group, and their gradients views into another, so a step is one expand pass and one
/// project pass and no autograd graph spans D-sized maps (design idea 2).
class Binding {
 public:
  /// `origin`'s tensors are shared, not copied: they must not change while the binding lives. `key` seeds z.
  /// @throws Error(data) when subspace or mask belong to another model, Error(user) for options out of range, as Scope::check, and for
  /// parameters that a subspace moves and that the scope freezes or slows, or a plugin owns.
  Binding(const Family& family, const Weights& origin, const TuneOptions& options, Key key, at::Device device);
  ~Binding();
  Binding(Binding&&) noexcept;

  std::vector<ParameterGroup>& groups();
  const std::vector<ParameterGroup>& groups() const;
  /// Learning rate of each group's coordinates; empty without a subspace.
  std::vector<double> lr_of_coordinates() const;
  const Weights& weights() const;  ///< what forward uses: leaves of the trained parts, constants of the frozen ones
  const Weights& origin() const;
  const Subspace* subspace() const;  ///< null in full space

  void compose() const;  ///< before forward: θ = θ0 + expand(z), masks applied. No-op in full space, and when z has not changed since.
  /// Trains what both the options' scope and `scope` leave, from now on: replaces the `scope` before it. Frozen parameters keep their
  /// values, have no gradient and record no graph. The optimiser must be told (`Optimizer::spans_changed` and `forget`).
  /// @throws Error(user) as the constructor, and for a compact scope.
  void rescope(const Scope& scope);
  const Scope& scope() const;  ///< in force: the options' one, less what `rescope` took away
  /// Entries of group `i` whose moments start at zero under the scope in force (`Scope::moments`), bool [n]; undefined: none.
  at::Tensor forgotten_moments(size_t i) const;
  ScopeUse scope_use() const;
  void restore_scope_use(const ScopeUse& use);  ///< of a resumed training
  /// Of the trained entries, whose optimiser moments must be kept as they were (`freeze = state`): bool over group `i`, true outside the
  /// mask; undefined: none.
  at::Tensor still_moments(size_t i) const;
  /// Flat buffers of θ, and "z" where a subspace composes one; `origin` filled when `with_origin`, rates multiplied by `factor`.
  std::vector<Block> blocks(double factor, bool with_origin) const;

  void gather_gradients();  ///< after backward: applies masks to gradients, projects onto z (adding, with 1/h for each copy), clears what
                            ///< it read
  void zero_gradients();
  void after_update();  ///< after the optimiser: undoes what masks hold back, and composes, so that weights() are current

  int64_t trainable() const;           ///< numbers the optimiser owns
  int64_t degrees_of_freedom() const;  ///< the same with the ensemble counted once, and masked positions left out
  int64_t gradient_bytes() const;      ///< of gradient buffers
  int64_t bytes_shipped() const;       ///< what must be sent to somebody who has the origin: numbers and basis, float32
  nlohmann::json describe() const;     ///< per group: name, count, lr; what is frozen; what the masks really held

  /// A copy of the current weights, detached from the buffers (all parts).
  Weights snapshot() const;
  /// Current coordinates (averaged over the ensemble); undefined without a subspace.
  at::Tensor coordinates() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tsrun
