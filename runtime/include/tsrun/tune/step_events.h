#pragma once

#include "tsrun/linalg/layout.h"
#include "tsrun/model/family.h"
#include "tsrun/tune/probe.h"
#include "tsrun/tune/scope.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

/// The contract of a training step. Its calls come in this order; with several plugins, each call goes to all of them in the order given,
/// the selector first.
///
///     scope            selectors only, before every step: a new scope, or nothing
///     before_forward   once a forward pass (a step has one per micro-batch), extra passes included: weights and options of this pass
///     batch_loss       once a micro-batch, behind its forward pass: a term of the loss
///     step_loss        once a step: a term that needs weights only; without autograd, its gradient is added already
///     after_backward   once a step: gradients of θ, summed over micro-batches, before masks, projection onto coordinates, and clipping
///     scope_after_backward  selectors only: a new scope by these gradients, or nothing; it holds for this step's update already
///     before_update    gradients as the optimiser will see them: masked and clipped
///     update           beside the optimiser: parameters whose update is the plugin's own (`Wants::updated`)
///     after_update     behind both: weights may be moved, then masks of `freeze = update` are applied
///     epoch_ended      behind the last step of an epoch
///
/// All tensors are on the training's device. Calls come from one thread.
namespace tsrun {

/// A range of a group's flat vectors that the optimiser updates.
struct Span {
  int64_t begin = 0, end = 0;
  double rate = 1;   ///< factor of the group's learning rate
  double decay = 0;  ///< decoupled weight decay
  friend bool operator==(const Span&, const Span&) = default;
};

/// Trained parameters that lie end to end in one flat float32 vector.
struct Block {
  std::string name;  ///< "encoder", "decoder", "delta", "embeddings", "pooler", "head", "z"; "encoder_entries" … of a compact scope
  const Layout* layout = nullptr;  ///< parameters by name and shape; of a compact scope with one dimension, the chosen entries
  at::Tensor value, gradient;      ///< [layout->total()]; of `composed` blocks the value is read-only
  at::Tensor origin;               ///< [layout->total()], values before training; only when wanted
  double rate = 0;                 ///< learning rate of this step
  std::vector<Span> spans;         ///< what the optimiser updates; empty for a composed block
  bool composed = false;           ///< θ0 + expand(z): the coordinates (block "z") are what is trained
  double rate_factor = 1;          ///< multiplies the learning rate of this step; a plugin may change it until `before_update`
};

/// One optimiser step.
struct Step {
  int64_t number = 0;   ///< steps done before this one
  int64_t planned = 0;  ///< steps of the whole training
  double epoch = 0;     ///< epochs done, with the fraction
  Key key;              ///< of this step and this plugin; split it for every use
  const Family& family;
  const Weights& weights;  ///< what forward passes start from: leaves of trained parameters, constants of frozen ones
  std::vector<Block> blocks;
  double rate_factor = 1;  ///< the same for all blocks at once

  bool ends_epoch = false;
  const Scope* chosen = nullptr;  ///< of a selector: the scope that it gave last, also before a resume; null: none yet
};

/// One trained parameter among the blocks of a step, in its own shape.
struct TrainedParameter {
  at::Tensor value, gradient;  ///< views of a block
};
/// Undefined tensors for a frozen one. @throws Error(user) "`who`: …" under a compact scope, where a gradient has chosen entries alone
TrainedParameter trained_parameter(const Step& step, const ParameterInfo& info, const std::string& who);

/// A parameter whose update is a plugin's own, in one step.
struct OwnedParameter {
  std::string name;
  at::Tensor value, gradient;  ///< in its shape, views of a block; the gradient is masked and clipped
  double rate = 0;             ///< learning rate of this step, with the factors of schedule, scope and plugins
  double decay = 0;            ///< decoupled weight decay
};

/// One forward pass of a micro-batch.
struct ForwardPass {
  const PackedBatch& batch;
  double share = 1;    ///< of the step's loss; shares of a step sum to 1
  int number = 0;      ///< of the micro-batch in its step
  bool extra = false;  ///< asked for by `again`
  Weights weights;     ///< a copy of the map for this pass: replaced entries stay connected to autograd
  ForwardOptions options;
  std::vector<at::Tensor> hidden_states;  ///< when wanted: output of the embeddings and of every layer, [tokens, hidden]
  Output output;                          ///< behind the forward pass
  at::Tensor task_loss;                   ///< scalar, connected to autograd

  /// The same batch once more under the dropout key `dropout`, from the same carried state (`ForwardOptions::state`); `change` may alter
  /// weights and options behind everybody's before_forward, in which `step.key` is one of this extra pass. Not to be called inside an extra
  /// pass.
  std::function<Output(Key dropout, const std::function<void(Weights&, ForwardOptions&)>& change)> again;
  /// The task's loss of another output of this batch, as the trainer computes it (label smoothing included).
  std::function<at::Tensor(const Output&)> loss_of;
};

/// Tensors a plugin keeps between steps; saved with every checkpoint and given back on resume, by the trainer.
using PluginState = std::map<std::string, at::Tensor>;

/// Inputs that a method reads; the trainer need not provide the others.
struct Wants {
  /// Looks at or changes word embeddings. Otherwise rows of the vocabulary that no text reaches may be left out of the training.
  bool whole_vocabulary = true;
  bool hidden_states = false;
  bool origin = false;
  /// Options whose values name files. In stage keys their contents stand for them, wherever they lie.
  std::vector<std::string> files = {};
  /// Parameters whose update is the plugin's own (`StepEvents::update`), by name; absent: none. The optimiser holds no state for them.
  /// Those that the training freezes are not updated by anybody.
  std::function<std::vector<std::string>(const Family&)> updated = {};
};

class StepEvents {
 public:
  virtual ~StepEvents() = default;
  virtual void before_forward(Step& /*step*/, ForwardPass& /*pass*/) {}
  /// A scalar that is added to the micro-batch's mean loss (so it counts by `pass.share`); undefined: none.
  virtual at::Tensor batch_loss(Step& /*step*/, ForwardPass& /*pass*/) { return {}; }
  virtual at::Tensor step_loss(Step& /*step*/) { return {}; }
  virtual void after_backward(Step& /*step*/) {}
  virtual void before_update(Step& /*step*/) {}
  /// Moves the values of `parameters`: those of `Wants::updated` that are trained in this step.
  virtual void update(Step& /*step*/, const std::vector<OwnedParameter>& /*parameters*/) {}
  virtual void after_update(Step& /*step*/) {}
  virtual void epoch_ended(Step& /*step*/) {}
  /// Counts and measurements of what happened, for the report of the training.
  virtual nlohmann::json report() const { return nlohmann::json::object(); }
  virtual PluginState state() const { return {}; }
  virtual void restore(const PluginState& /*state*/) {}
};

/// Inputs of a selector or a regulariser.
struct MethodInputs {
  const Family& family;
  const Weights& origin;  ///< weights before training
  Key key;                ///< of this method in this training, or in this choice
  int64_t steps = 0;      ///< planned; 0 outside a training
  int64_t steps_per_epoch = 0;
  Probe* probe = nullptr;  ///< rows of the training split; lives as long as the training, or the choice
  /// Weights of a finished training from `origin`, where one was given (`solution` of ts.select).
  const Weights* solution = nullptr;
};

}  // namespace tsrun
