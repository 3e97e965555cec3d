#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"
#include "tsrun/train/observer.h"

#include <algorithm>
#include <optional>

namespace tsrun {
namespace {

/// Whether a point falls due: every `every` steps, or at the end of every epoch when 0.
bool due(int64_t every, const StepDone& done) { return every > 0 ? done.step % every == 0 : done.ends_epoch; }

class TrajectoryRecorder final : public Observer {
 public:
  TrajectoryRecorder(std::filesystem::path folder, ParameterSet set, RowType type, int64_t every_steps)
      : folder_(std::move(folder)), set_(std::move(set)), type_(type), every_(every_steps) {}

  void begin(const Binding& binding, int64_t steps_per_epoch, int64_t resumed_at_step) override {
    if (resumed_at_step > 0) {
      writer_ = TrajectoryWriter::resume(folder_, resumed_at_step);
      const int64_t expected = resumed_at_step / (every_ > 0 ? every_ : steps_per_epoch);
      if (writer_->size() == expected) return;
      data_error("{}: {} trajectory points up to step {}, expected {}", folder_.string(), writer_->size(), resumed_at_step, expected);
    }
    std::filesystem::remove_all(folder_);
    writer_.emplace(folder_, set_.layout, flat(binding.origin()), type_);
  }

  void step_ended(const Binding& binding, const StepDone& done) override {
    if (!due(every_, done)) return;
    const at::NoGradGuard no_grad;
    writer_->append({done.step, done.epoch}, flat(binding.weights()));
  }

 private:
  /// Rows that the run left out are put back only where the layout has them: that copies the whole embeddings.
  at::Tensor flat(const Weights& weights) const {
    const auto& slices = set_.layout.slices();
    const bool fits =
        std::all_of(slices.begin(), slices.end(), [&](const Slice& slice) { return weights.at(slice.name).numel() == slice.size; });
    return flatten(fits ? weights : whole(weights), set_.layout).to(at::kCPU);
  }

  std::filesystem::path folder_;
  ParameterSet set_;
  RowType type_;
  int64_t every_;
  std::optional<TrajectoryWriter> writer_;
};

/// The sums are float64, so the mean does not depend on how many points there are.
class WeightAverager final : public Observer {
 public:
  WeightAverager(std::filesystem::path file, int64_t every_steps) : file_(std::move(file)), every_(every_steps) {}

  void step_ended(const Binding& binding, const StepDone& done) override {
    if (due(every_, done)) add(binding);
  }

  void finished(const Binding& binding) override {
    const at::NoGradGuard no_grad;
    if (count_ == 0) add(binding);  // a run shorter than one interval: its end is its mean
    Weights mean;
    for (const auto& name : binding.origin().names()) mean.set(name, (sums_.at(name) / count_).to(at::kFloat).to(at::kCPU));
    save_weights(whole(mean), file_);
  }

  PluginState state() const override {
    PluginState state = sums_;
    if (count_ > 0) state["points"] = at::full({1}, count_, at::kLong);
    return state;
  }
  void restore(const PluginState& state) override {
    sums_ = state;
    const auto points = sums_.find("points");
    if (points == sums_.end()) return;
    count_ = points->second.item<int64_t>();
    sums_.erase(points);
  }

 private:
  void add(const Binding& binding) {
    const at::NoGradGuard no_grad;
    for (const auto& name : binding.origin().names()) {
      at::Tensor& sum = sums_[name];
      const at::Tensor value = binding.weights().at(name).detach();
      if (!sum.defined()) {
        sum = value.to(at::kDouble);
      } else {
        if (sum.device() != value.device()) sum = sum.to(value.device());
        sum.add_(value);
      }
    }
    ++count_;
  }

  std::filesystem::path file_;
  int64_t every_;
  int64_t count_ = 0;
  std::map<std::string, at::Tensor> sums_;
};

}  // namespace

std::unique_ptr<Observer> make_trajectory_recorder(std::filesystem::path folder, ParameterSet set, RowType type, int64_t every_steps) {
  return std::make_unique<TrajectoryRecorder>(std::move(folder), std::move(set), type, every_steps);
}

std::unique_ptr<Observer> make_weight_averager(std::filesystem::path file, int64_t every_steps) {
  return std::make_unique<WeightAverager>(std::move(file), every_steps);
}

}  // namespace tsrun
