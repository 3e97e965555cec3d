#pragma once

#include "tsrun/tune/module_rules.h"

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

/// Deltas that add ΔW(θ) to weights of linear maps, y = x (W + ΔW)ᵀ + b. A method says what ΔW is made of; where it acts, dropout, merging
/// and the exchange with PEFT are here.
namespace tsrun {

/// ΔW [outputs, inputs] as a product, the factor that meets the input first: matrices [rows, columns], and vectors for diagonal ones.
using UpdateFactors = std::vector<at::Tensor>;
/// ΔW itself.
at::Tensor update_of(const UpdateFactors& factors);
/// x ΔWᵀ for x [tokens, inputs], factor by factor, so that ΔW is never formed.
at::Tensor through_update(const UpdateFactors& factors, const at::Tensor& x);

/// Probabilities in a training pass; each module draws under a key of its own.
struct UpdateDropout {
  double inputs = 0;          ///< entries of x in front of the factors
  double rows = 0;            ///< rows of ΔW, once a pass
  bool rescaled_rows = true;  ///< rows that are left are divided by their share
  double modules = 0;         ///< the whole ΔW, once a pass
  double own = 0;             ///< of the method's own kind, which `training_factors` applies
  bool any() const { return inputs > 0 || rows > 0 || modules > 0 || own > 0; }
};

class WeightUpdate : public Delta {
 public:
  /// `activations`: factors multiply what enters the module, cheap where they are thin. `weight`: ΔW is formed once a pass and added to W,
  /// cheaper where its factors are as wide as W or there is one. Dropout, and a weight that another module shares, always take the former.
  enum class Side { activations, weight };
  WeightUpdate(std::string method, std::vector<Target> targets, Side side, UpdateDropout dropout = {})
      : method_(std::move(method)), targets_(std::move(targets)), side_(side), dropout_(dropout) {}

  /// The factors of one module's ΔW, connected to autograd through `weights`.
  virtual UpdateFactors factors(const Target& target, const Weights& weights) const = 0;
  /// The same in a training pass, under the module's key, where dropout changes the factors themselves.
  virtual UpdateFactors training_factors(const Target& target, const Weights& weights, Key /*key*/) const {
    return factors(target, weights);
  }
  /// Whether the factors are made of the module's weight.
  virtual bool reads_weight() const { return false; }

  /// Every module with its own tensors ("<module>.…"); tensors of no module stand for themselves.
  std::vector<DeltaMatch> matches() const override;
  std::vector<ModuleChange> changes() const override;
  void override_weights(const Weights& weights, Weights& seen) const override;
  void install(const Weights& weights, ForwardOptions& forward) const override;
  std::optional<Weights> merge(const Weights& weights) const override;
  std::string why_not_merged() const override;

 protected:
  const std::vector<Target>& targets() const { return targets_; }

 private:
  bool acts_on_weight(const Target& target) const { return side_ == Side::weight && !dropout_.any() && !target.module.shared; }
  at::Tensor updated(const Target& target, const Weights& weights) const;

  std::string method_;
  std::vector<Target> targets_;
  Side side_;
  UpdateDropout dropout_;
};

/// Options of such a method: PEFT's rules for where it acts (queries and values by default), and `bias` where PEFT has it for the method:
/// none, all, or `only_bias` ("vera_only"), the adapted modules' own.
OptionTable weight_update_options(const std::string& what, const std::string& only_bias = "");

/// `update` with what else those options train: biases and modules_to_save.
std::unique_ptr<Delta> with_other_parameters(std::unique_ptr<Delta> update, const Family& family, const Options& options,
                                             const std::vector<Target>& targets, const std::string& where);

/// Rank and scale (alpha / rank) of every target, by the options r, alpha, rank_pattern and alpha_pattern.
struct RankAndScale {
  int64_t rank = 0;
  double scale = 1;
};
OptionTable rank_options(int64_t rank, int64_t alpha);
/// By module. @throws Error(user) for a rank that is no whole number from 1
std::map<std::string, RankAndScale> ranks_of(const std::vector<Target>& targets, const Family& family, const Options& options,
                                             const std::string& where);
/// Numbers of targets by a pattern option, `fallback` elsewhere; patterns that mean none are warned of.
std::map<std::string, double> numbers_of(const std::vector<Target>& targets, const Family& family, const Options& options,
                                         const std::string& pattern_option, double fallback, const std::string& where);

/// Half the width of the uniform distribution that PyTorch's linear layers start with: 1 / √columns.
double linear_bound(int64_t columns);

/// W [outputs, inputs] as U diag(S) V: its `rank` largest singular values, U [outputs, rank], S [rank], V [rank, inputs]. The largest entry
/// of every row of V is positive: LAPACKs differ in signs, and what is trained between the factors must mean the same on every machine.
struct PrincipalPart {
  at::Tensor u, s, v;
};
PrincipalPart principal_part(const Target& target, const Weights& weights, int64_t rank);

/// A method of this kind in PEFT, where its options have the names of the fields of adapter_config.json.
struct UpdateExchange {
  std::string type;                        ///< peft_type: "VERA"
  std::vector<std::string> fields;         ///< of the method alone, without the rules' own
  std::vector<std::string> endings;        ///< of tensors of which every adapted module has one: ".vera_lambda_b"
  std::vector<std::string> patterns = {};  ///< options that are numbers by patterns of names, as fields of the same names
  std::vector<std::string> shared = {};    ///< beginnings of tensors that belong to no module: "vera_A"
  bool of_transposed = true;               ///< PEFT knows modules that store [inputs, outputs]

  /// `idle` fields beside those of every method of this kind (fan_in_fan_out, init_weights).
  PeftType peft_type(std::set<std::string> refused = {}, std::set<std::string> idle = {}) const;
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const;
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const;
};

}  // namespace tsrun
