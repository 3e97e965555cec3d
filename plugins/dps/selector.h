#pragma once

#include "statistics.h"

#include "tsrun/tune/selector.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace tsrun::dps {

/// The cycle of two stages, on the clock of optimiser steps. State is kept by parameter: sums in stage I; one bit an element of the last
/// mask; of Mix in stage II the weights at its beginning.
class DynamicSelection final : public Selector {
 public:
  /// Entries of a parameter that see the weight in stage I of Mix, as `mixed_weight` takes them; by default drawn from the step's key.
  using DrawKept = std::function<at::Tensor(const Step& step, const ParameterInfo& parameter)>;
  DynamicSelection(const MethodInputs& inputs, std::vector<ParameterInfo> parameters, Settings settings, DrawKept draw = {});

  std::optional<Scope> scope(Step& step) override;
  void before_forward(Step& step, ForwardPass& pass) override;
  void after_backward(Step& step) override;
  void before_update(Step& step) override;
  void after_update(Step& step) override;
  nlohmann::json report() const override;
  PluginState state() const override;
  void restore(const PluginState& state) override;

 private:
  Scope select(const Step& step);
  void draw_scores(const Step& step);
  void note_change(const std::string& name, const at::Tensor& bits, int64_t& changed, int64_t& compared);
  void mix(const Step& step, ForwardPass& pass);
  void draw_noise(const Step& step);
  void add_squares(const Step& step);
  void gather(const ParameterInfo& parameter, const at::Tensor& gradient);
  bool measures_update(const Step& step) const;

  Settings settings_;
  DrawKept draw_;
  std::vector<ParameterInfo> parameters_;
  const Weights& origin_;
  SumsByName sums_;
  std::map<std::string, at::Tensor> bits_;      ///< of the last mask
  std::map<std::string, at::Tensor> targets_;   ///< of Mix, stage II: weights at its beginning
  std::map<std::string, at::Tensor> masks_;     ///< of stage II, as bool
  std::map<std::string, at::Tensor> noise_;     ///< of Mix, stage I, this step
  std::map<std::string, at::Tensor> gathered_;  ///< the step's gradient up to the last micro-batch, where these are squared one by one
  std::map<std::string, at::Tensor> before_;    ///< weights before the update that is measured
  int64_t noise_step_ = -1;
  int64_t kept_ = 0, elements_ = 0;  ///< of the last mask
  std::vector<double> changes_;      ///< share of elements that differ between one mask and the next
  double inside_ = 0, outside_ = 0;  ///< length of the last update of the last stage II, within its mask and outside
};

}  // namespace tsrun::dps
