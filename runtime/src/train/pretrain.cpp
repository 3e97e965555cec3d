#include "tsrun/train/pretrain.h"

#include "train/backward.h"
#include "train/pretrain_batches.h"
#include "train/trained_state.h"
#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/diverged.h"
#include "tsrun/train/loop.h"
#include "tsrun/train/optimizer.h"
#include "tsrun/train/schedule.h"
#include "tsrun/tune/binding.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tsrun {
namespace training {
namespace {

constexpr int64_t kLogged = 20;    ///< intervals over a run
constexpr int64_t kHeldOut = 512;  ///< lines at most

struct HeldOut {
  double loss = 0, accuracy = 0;
};

HeldOut score(const Family& family, const Weights& weights, const PretrainBatches& batches) {
  const at::NoGradGuard no_grad;
  std::vector<int64_t> rows(static_cast<size_t>(batches.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  double loss = 0, right = 0, count = 0;
  for (size_t begin = 0; begin < rows.size(); begin += 64) {
    const auto batch = batches.make(std::span(rows).subspan(begin, std::min<size_t>(64, rows.size() - begin)), 0);
    const Output output = family.forward(weights, batch, {});
    const at::Tensor targets = batch.targets.masked_select(batch.targets.ge(0));
    loss += task_loss(family.head(), output, batch).item<double>() * static_cast<double>(targets.numel());
    right += output.logits.argmax(1).eq(targets).sum().item<double>();
    count += static_cast<double>(targets.numel());
  }
  return {loss / std::max(1.0, count), right / std::max(1.0, count)};
}

TuneOptions everything(const Options& options) {
  TuneOptions tune;
  tune.lr = tune.lr_embeddings = tune.lr_head = options.number("lr");
  tune.weight_decay = options.number("weight_decay");
  return tune;
}

class Pretraining final : public LoopBody {
 public:
  explicit Pretraining(PretrainJob& job)
      : job_(job),
        family_(*job.start.family),
        dropout_(job.options.flag("dropout")),
        steps_(job.options.integer("steps")),
        warmup_(warmup_steps(job.options.number("warmup_ratio"), steps_)),
        interval_(std::max<int64_t>(1, steps_ / kLogged)),
        batches_(batches_of(std::span(job.lines).first(job.lines.size() - held_out()), "masking")),
        unseen_(batches_of(std::span(job.lines).last(held_out()), "held-out masking")),
        binding_(family_, job.start.weights, everything(job.options), job.key.split("tune"), job.device),
        optimizer_(make_adamw(binding_.groups(), {})),
        sampler_(job.key.split("data order"), batches_.rows(), job.options.integer("batch_size")) {}

  PretrainResult run() {
    LoopSettings loop;
    loop.title = job_.title;
    loop.steps = steps_;
    loop.work = job_.work;
    loop.identity = identity();
    loop.checkpoint_every = job_.checkpoint_every;
    run_loop(loop, *this);
    PretrainResult result{std::move(job_.start), std::move(losses_), quality_.loss, quality_.accuracy};
    result.model.weights = binding_.snapshot();
    return result;
  }

  void step(int64_t step, Progress& progress) override {
    sum_ += learn(step);
    if ((step + 1) % interval_ != 0) return;
    losses_.push_back(sum_ / static_cast<double>(interval_));
    progress.note(fmt::format("loss {:.3f}", losses_.back()));
    sum_ = 0;
  }

  void evaluate_if_due(int64_t steps_done, Progress& progress) override {
    if (steps_done < steps_) return;
    quality_ = score(family_, binding_.weights(), unseen_);
    progress.milestone(fmt::format("held-out loss {:.3f}  accuracy {:.3f}", quality_.loss, quality_.accuracy));
  }

  void save(Checkpoint& checkpoint) const override {
    checkpoint.state = {{"losses", losses_}, {"sum", sum_}};
    add_tensors(checkpoint, "value.", values_of(binding_));
    add_tensors(checkpoint, "optimizer.", optimizer_->state());
  }

  void restore(const Checkpoint& checkpoint) override {
    losses_ = checkpoint.state.at("losses").get<std::vector<double>>();
    sum_ = checkpoint.state.at("sum").get<double>();
    set_values(binding_, tensors_under(checkpoint, "value."));
    optimizer_->restore(tensors_under(checkpoint, "optimizer."));
  }

 private:
  size_t held_out() const { return std::min<size_t>(kHeldOut, job_.lines.size() / 20); }

  PretrainBatches batches_of(std::span<const std::string> lines, const char* key) const {
    const int64_t length = std::min(job_.options.integer("max_length"), family_.max_positions());
    return {job_.start, lines, length, job_.options.number("masking"), job_.key.split(key), job_.device};
  }

  nlohmann::json identity() const {
    Sha256 lines;
    for (const std::string& line : job_.lines) lines.update(line).update("\n");
    return {{"options", job_.options.json()}, {"key", job_.key.words()}, {"lines", lines.hex()}, {"tune", binding_.describe()}};
  }

  /// Forward, backward and update for one batch; returns the loss.
  double learn(int64_t step) {
    const int64_t epoch = step / sampler_.batches_per_epoch();
    const PackedBatch batch = batches_.make(sampler_.batch(epoch, step % sampler_.batches_per_epoch()), epoch);
    ForwardOptions forward;
    if (dropout_) forward = training_pass(job_.key.split("dropout").split(static_cast<uint64_t>(step)), Precision::float32, false);
    binding_.zero_gradients();
    const double loss = backpropagate(task_loss(family_.head(), family_.forward(binding_.weights(), batch, forward), batch));
    if (!std::isfinite(loss))
      throw Diverged(fmt::format("pre-training: the loss is {} at step {}", loss, step + 1),
                     fmt::format("loss not finite in step {}", step + 1), step);
    binding_.gather_gradients();
    clip_gradients(binding_.groups(), 1.0);
    optimizer_->step(schedule_factor(LrScheduler::linear, step, steps_, warmup_));
    binding_.after_update();
    return loss;
  }

  PretrainJob& job_;
  const Family& family_;
  bool dropout_;
  int64_t steps_, warmup_, interval_;
  PretrainBatches batches_, unseen_;
  Binding binding_;
  std::unique_ptr<Optimizer> optimizer_;
  Sampler sampler_;
  std::vector<double> losses_;
  double sum_ = 0;  ///< of losses since the last interval
  HeldOut quality_;
};

}  // namespace

}  // namespace training

PretrainResult pretrain(PretrainJob job) {
  if (job.lines.size() < 20) user_error("pre-training needs at least 20 lines, found {}", job.lines.size());
  return training::Pretraining(job).run();
}

}  // namespace tsrun
