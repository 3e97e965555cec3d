#pragma once

#include "tsrun/plugin/plugin.h"
#include "tsrun/plugin_testing/delta.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

/// What every selector and regulariser must keep, as tests in short trainings of a small BERT (or a GPT-2, see `Trial`); linked like those
/// of subspaces (subspace.h). Every method that the plugin registers is tried with the options that the functions below list, or with none.
///
///     const bool added = tsrun::plugin_testing::add_selector_case("my_selector", {{"layers", 1}});
namespace tsrun::plugin_testing {

/// What a case's short trainings are like.
struct Trial {
  bool words = false;            ///< of a small GPT-2 on texts, for methods that need a head of words; else of a small BERT with classes
  std::string delta = {};        ///< attached with its defaults, of the same plugin; empty: none
  bool batch_statistic = false;  ///< the term is no mean over rows or tokens, so that micro-batches change it
};

/// Another set of options under which `method` must pass. Call it before main (from an initialiser). Always true.
bool add_selector_case(const std::string& method, const nlohmann::json& options, Trial trial = {});
bool add_regularizer_case(const std::string& method, const nlohmann::json& options, Trial trial = {});

/// The methods that the linked plugin registers.
const std::vector<std::unique_ptr<SelectorMethod>>& selector_methods();
const SelectorMethod& selector_method(const std::string& name);
const std::vector<std::unique_ptr<RegularizerMethod>>& regularizer_methods();
const RegularizerMethod& regularizer_method(const std::string& name);

/// Made-up calibration: every row has a gradient of its own, whatever the weights, and a batch the mean of its rows'.
class MadeUpProbe final : public Probe {
 public:
  MadeUpProbe(const Family& family, int64_t rows) : family_(family), rows_(rows) {}
  int64_t rows() const override { return rows_; }
  std::vector<std::vector<int64_t>> ids(int64_t row) override { return {{row, row + 1, row + 1}}; }
  HiddenStates hidden(const Weights& weights, std::span<const int64_t> rows, int layer) override;  ///< none
  LabelStates label_states(const Weights& weights, std::span<const int64_t> rows) override;        ///< none
  LossAndGradient loss_and_gradient(const Weights& weights, std::span<const int64_t> rows, std::optional<Key> dropout) override;
  at::Tensor gradient_of(const std::string& parameter, int64_t row) const;  ///< standard normal numbers
  void scale(const std::string& parameter, double factor) { scales_[parameter] = factor; }

 private:
  const Family& family_;
  int64_t rows_;
  std::map<std::string, double> scales_;
};

/// A step whose one block has all parameters of `model` with their weights, and random gradients. `model` must outlive it.
struct MadeUpStep {
  MadeUpStep(const SmallModel& model, Key key);
  at::Tensor gradient(const std::string& parameter) const;
  Layout layout;
  Step step;
};

}  // namespace tsrun::plugin_testing
