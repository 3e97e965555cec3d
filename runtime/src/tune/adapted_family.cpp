#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/tune/delta.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <set>

namespace tsrun {
namespace {

int64_t count_of(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

ParameterInfo info_of(const DeltaTensor& tensor) {
  const auto dot = tensor.name.rfind('.');
  return {tensor.name,
          tensor.shape,
          Part::delta,
          tensor.layer,
          tensor.shape.size() > 1 ? ParameterKind::weight : ParameterKind::bias,
          tensor.name.substr(0, dot == std::string::npos ? tensor.name.size() : dot),
          /*transposed=*/false};
}

/// The weights as `deltas` leave them, one behind the other.
Weights overridden(const std::vector<std::shared_ptr<const Delta>>& deltas, const Weights& weights) {
  Weights seen = weights;
  for (const auto& delta : deltas) delta->override_weights(Weights(seen), seen);
  return seen;
}

/// Hooks see a module's output when its weight has been applied, whatever the order of the deltas.
bool keeps_order(const ModuleChange& first, const ModuleChange& second) {
  using enum ModuleChange::How;
  if (first.place == ModuleChange::Place::weight) return true;
  return second.place == ModuleChange::Place::output ? second.how != of_weight : first.how == adds && second.how == adds;
}

void check_order(const Delta& first, const Delta& second) {
  const auto later = second.changes();
  for (const ModuleChange& change : first.changes())
    for (const ModuleChange& other : later)
      if (change.module == other.module && !keeps_order(change, other))
        user_error(
            "two deltas meet at '{}': the first changes what it gives, and the second is made for its weight, which would be applied "
            "before; attach the second one first, or give them different targets",
            change.module);
}

class AdaptedFamily : public Family {
 public:
  AdaptedFamily(std::shared_ptr<const Family> base, std::vector<std::shared_ptr<const Delta>> deltas)
      : base_(std::move(base)), deltas_(std::move(deltas)), parameters_(base_->parameters()) {
    for (const auto& delta : deltas_) {
      for (const DeltaTensor& tensor : delta->tensors()) {
        check_free(tensor);
        parameters_.push_back(info_of(tensor));
        tensors_.push_back(tensor);
      }
    }
    for (const auto& delta : deltas_)
      for (const DeltaTensor& constant : delta->constants()) {
        check_free(constant);
        constants_.insert(constant.name);
      }
    for (size_t i = 0; i < deltas_.size(); ++i)
      for (size_t j = i + 1; j < deltas_.size(); ++j) check_order(*deltas_[i], *deltas_[j]);
  }

  std::string_view model_type() const override { return base_->model_type(); }
  const nlohmann::json& config() const override { return base_->config(); }
  int layers() const override { return base_->layers(); }
  int64_t hidden_size() const override { return base_->hidden_size(); }
  const HeadSpec& head() const override { return base_->head(); }
  int64_t max_positions() const override { return base_->max_positions(); }
  ModelKind model_kind() const override { return base_->model_kind(); }
  int64_t decoder_start() const override { return base_->decoder_start(); }
  std::vector<int64_t> state_widths() const override { return base_->state_widths(); }
  const std::vector<ParameterInfo>& parameters() const override { return parameters_; }
  const std::vector<Site>& sites() const override { return base_->sites(); }

  Output forward(const Weights& weights, const PackedBatch& batch, const ForwardOptions& options) const override {
    Weights seen = weights;
    ForwardOptions with_hooks = options;
    for (const auto& delta : deltas_) {
      const Weights found = seen;
      delta->override_weights(found, seen);
      delta->install(found, with_hooks);
    }
    return base_->forward(seen, batch, with_hooks);
  }

  std::string label_matrix() const override { return base_->label_matrix(); }
  /// Hooks of deltas at the head are not called.
  at::Tensor read_out(const Weights& weights, const at::Tensor& states, bool normed) const override {
    return base_->read_out(overridden(deltas_, weights), states, normed);
  }

  at::Tensor initial(const ParameterInfo& parameter, Key key) const override {
    if (parameter.part != Part::delta) return base_->initial(parameter, key);
    const auto place = std::find_if(tensors_.begin(), tensors_.end(), [&](const auto& tensor) { return tensor.name == parameter.name; });
    return values_by_law(*place, key);
  }

 private:
  void check_free(const DeltaTensor& tensor) const {
    const bool taken = std::any_of(parameters_.begin(), parameters_.end(), [&](const auto& info) { return info.name == tensor.name; });
    if (taken || constants_.contains(tensor.name))
      user_error("two methods have a tensor named '{}': attach one of them, or give them different targets", tensor.name);
  }

  std::shared_ptr<const Family> base_;
  std::vector<std::shared_ptr<const Delta>> deltas_;
  std::vector<ParameterInfo> parameters_;
  std::vector<DeltaTensor> tensors_;
  std::set<std::string> constants_;
};

}  // namespace

at::Tensor values_by_law(const DeltaTensor& tensor, Key key) {
  if (tensor.init == DeltaTensor::Init::zeros) return at::zeros(tensor.shape);
  if (tensor.init == DeltaTensor::Init::ones) return at::ones(tensor.shape);
  at::Tensor values = at::empty(tensor.shape);
  const std::span<float> numbers{values.mutable_data_ptr<float>(), static_cast<size_t>(count_of(tensor.shape))};
  const auto scale = static_cast<float>(tensor.scale);
  if (tensor.init == DeltaTensor::Init::normal) fill_normal(key, numbers, 0, 0, scale);
  if (tensor.init == DeltaTensor::Init::uniform) fill_uniform(key, numbers, 0, -scale, scale);
  return values;
}

std::unique_ptr<Family> adapt(std::shared_ptr<const Family> base, std::vector<std::shared_ptr<const Delta>> deltas) {
  return std::make_unique<AdaptedFamily>(std::move(base), std::move(deltas));
}

void add_initial_values(const std::vector<std::shared_ptr<const Delta>>& deltas, Weights& weights, Key key,
                        const std::vector<std::shared_ptr<const Delta>>& in_front) {
  const at::NoGradGuard no_grad;
  auto before = in_front;
  for (const auto& delta : deltas) {
    const Weights origin = overridden(before, weights);
    const Weights constants = delta->constant_values(weights);
    for (const DeltaTensor& tensor : delta->tensors()) {
      const at::Tensor given = delta->initial(tensor, origin, key);
      weights.set(tensor.name, given.defined() ? given : values_by_law(tensor, key.split(tensor.name)));
    }
    for (const DeltaTensor& constant : delta->constants()) weights.set(constant.name, constants.at(constant.name));
    delta->adjust_origin(weights, weights);
    before.push_back(delta);
  }
}

}  // namespace tsrun
