#pragma once

#include "tsrun/base/options.h"
#include "tsrun/model/kernels.h"
#include "tsrun/train/few_unknowns.h"
#include "tsrun/train/optimizer.h"
#include "tsrun/train/schedule.h"

/// Options of trainings, parsed once.
namespace tsrun {

enum class OptimizerKind { adamw, sgd, adafactor, lbfgs, levenberg_marquardt, p_bfgs, cma_es, spsa };

/// `train_options()` as the trainer uses them; texts are read by their own options (`text_options()`).
struct TrainSettings {
  int64_t epochs = 3, max_steps = 0;  ///< max_steps 0: as epochs says
  int64_t max_forward_passes = 0;     ///< 0: no limit
  int64_t batch_size = 32, gradient_accumulation_steps = 1;
  OptimizerKind optimizer = OptimizerKind::adamw;
  AdamWOptions adamw;
  SgdOptions sgd;
  AdafactorOptions adafactor;
  LbfgsOptions lbfgs;
  LevenbergMarquardtOptions levenberg_marquardt;
  CmaEsOptions cma_es;
  SpsaOptions spsa;
  LrScheduler scheduler = LrScheduler::linear;
  double warmup_ratio = 0, max_grad_norm = 1, label_smoothing = 0;
  int64_t eval_every = 0, early_stop = 0, checkpoint_every = 0;  ///< steps, evaluations, steps
  Precision precision = Precision::float32;
  bool gradient_checkpointing = false, dropout = true;
  double mlm_probability = 0.15;

  /// `options` are resolved against `train_options()`.
  static TrainSettings from(const Options& options);
  /// A method of few_unknowns.h moves the coordinates, and AdamW what is trained beside them.
  bool solves() const { return optimizer >= OptimizerKind::lbfgs; }
  bool forward_only() const { return optimizer == OptimizerKind::cma_es || optimizer == OptimizerKind::spsa; }
  /// Adafactor normalises the update of a tensor by its mean over all elements, so no element may be left out.
  bool needs_whole_tensors() const { return optimizer == OptimizerKind::adafactor; }
};

/// The value of an option `precision`: float32 or bf16.
Precision precision_of(const Options& options);

std::unique_ptr<Optimizer> make_optimizer(std::vector<ParameterGroup>& groups, const TrainSettings& settings);

}  // namespace tsrun
