#pragma once

#include "train/carried_state.h"
#include "train/layer_work.h"
#include "train/masking.h"
#include "train/passes.h"
#include "train/prefix_cache.h"
#include "train/step_plugins.h"
#include "tsrun/data/batch.h"
#include "tsrun/train/settings.h"
#include "tsrun/tune/binding.h"

#include <memory>
#include <optional>
#include <vector>

namespace tsrun::training {

struct StepReport {
  double loss = 0;           ///< mean over the step's rows, or over the tokens that are judged
  double gradient_norm = 0;  ///< before clipping
  int64_t tokens = 0;
  LayerWork work;
  Passes passes;
};

/// One optimiser step: forward, backward, clip, update, with the events of tune/step_events.h between them.
class Stepper {
 public:
  /// `masking` hides tokens where the head guesses them. `plugins` must outlive the stepper.
  Stepper(const Family& family, const EncodedSplit& split, Binding& binding, const TrainSettings& settings, at::Device device,
          StepPlugins& plugins, std::optional<Masking> masking = {});
  struct When {
    int64_t step = 0, epoch = 0;  ///< from 0
    int64_t planned = 0;          ///< steps of the training
    double epochs_done = 0;
    bool ends_epoch = false;
  };
  /// `key` is the step's own; `factor` the schedule's value. @throws Diverged on a non-finite loss or gradient, naming the step and rows.
  StepReport run(When when, const std::vector<std::vector<int64_t>>& micro_batches, Key key, double factor);
  Optimizer& optimizer() const { return *optimizer_; }
  FewUnknowns* solver() const { return solver_.get(); }  ///< null where the optimiser moves everything
  /// Trains under `scope` from now on. @throws Error(user) as Binding::rescope and `check`
  void rescope(const Scope& scope);
  /// @throws Error(user) for what the optimiser cannot do
  void check(const Scope& scope) const;
  /// Sets memory and file of cached prefixes; to be called before the first step under a scope with `cache_prefix`.
  void keep_prefixes_in(PrefixStorage storage);

  /// Depth of the cached prefix, and the epoch since which it is cached.
  struct Caching {
    int layers = 0;
    int64_t since_epoch = 0;
  };
  Caching caching() const { return caching_; }
  void restore(Caching caching) { caching_ = caching; }

  /// Of a recurrent model, behind the last micro-batch.
  const CarriedState& carried() const { return carried_; }
  void restore_carried(std::span<const int64_t> rows, std::vector<at::Tensor> state) { carried_.take(rows, std::move(state)); }

 private:
  PackedRows packed(const std::vector<int64_t>& rows, int64_t epoch) const;
  ForwardOptions forward_options(Key dropout) const;
  void refresh_prefix();
  void refuse_changed_prefix(const Step& step, const ForwardPass& pass) const;
  /// The step of a solver: it moves the coordinates, then the optimiser what is trained beside them.
  void solve(const When& when, const std::vector<PackedRows>& batches, double judged, Key key, double factor, StepReport& report);
  double backward(const PackedRows& packed, double share, size_t number, Key dropout, Step& step);
  at::Tensor loss_with_plugins(Step& step, ForwardPass& pass);
  void carry(const PackedRows& packed, const Output& output);
  void add_step_loss(Step& step, StepReport& report);
  Step begin_step(const When& when, Key key) const;
  void update(Step& step, double factor);
  std::vector<OwnedParameter> owned_parameters(const Step& step) const;
  LayerWork work_in(int64_t epoch, const Passes& passes, size_t batches);
  at::Tensor loss_of(const Output& output, const PackedBatch& batch) const;

  const Family& family_;
  const EncodedSplit& split_;
  Binding& binding_;
  at::Device device_;
  StepPlugins& plugins_;
  std::optional<Masking> masking_;
  Passes extra_;  ///< of this step, by plugins
  double max_grad_norm_ = 0, label_smoothing_ = 0;
  Precision precision_ = Precision::float32;
  bool gradient_checkpointing_ = false, dropout_ = true;
  bool needs_whole_tensors_ = false;  ///< the optimiser normalises a tensor as a whole (adafactor)
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<FewUnknowns> solver_;
  PrefixStorage prefix_storage_;
  std::optional<PrefixCache> prefix_;
  at::Tensor prefix_states_;  ///< of the micro-batch at hand
  Caching caching_;           ///< as the last step found it
  bool carries_ = false;      ///< rows continue each other
  CarriedState carried_;
  std::vector<at::Tensor> state_;  ///< in front of the micro-batch at hand
};

}  // namespace tsrun::training
