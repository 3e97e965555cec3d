#pragma once

#include "tsrun/base/options.h"
#include "tsrun/model/family.h"
#include "tsrun/tune/peft.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Delta methods: a few tensors beside a model's own, that change what the model computes.
namespace tsrun {

/// A tensor that a delta method adds to the model, with the distribution of its first values.
struct DeltaTensor {
  std::string name;  ///< PEFT's name where PEFT has the method, without its "base_model.model.": "…query.lora_A.weight"
  std::vector<int64_t> shape;
  int layer = -1;  ///< layer that it acts in; -1: none
  enum class Init { zeros, ones, normal, uniform } init = Init::zeros;
  double scale = 0;  ///< standard deviation of `normal`, half width of `uniform`
};

/// One line of the table that says where a method acts.
struct DeltaMatch {
  std::string pattern;  ///< as the options had it
  std::string module;   ///< a module of the model, or what else it acts on
  int64_t numbers = 0;  ///< that are trained there
};

/// One weight's low-rank update: W + scale · B A, with A [rank, inputs] and B [outputs, rank].
struct LowRankFactors {
  std::string a, b, weight;  ///< names of two tensors of the delta and of the model's parameter
  int64_t rank = 0;
  double scale = 1;
  bool transposed = false;  ///< W is [inputs, outputs]
};

/// How a delta changes one linear map or table of embeddings.
struct ModuleChange {
  std::string module;
  enum class Place { weight, output } place;  ///< another weight (`override_weights`), or a hook on what the module gives
  /// adds: what is added depends on neither the weight nor the output that it finds. scales: the output is multiplied. of_weight: the
  /// change is made of the weight that it finds (a rotation, a norm).
  enum class How { adds, scales, of_weight } how;
};

/// A delta method attached to one model. Its tensors become parameters of the part `delta`; like any others they can be selected, spanned
/// by a subspace, recorded, and saved.
class Delta {
 public:
  virtual ~Delta() = default;
  virtual std::vector<DeltaTensor> tensors() const = 0;
  virtual std::vector<DeltaMatch> matches() const = 0;
  /// First value of `tensor` where its distribution does not say it (orthogonal, made from the model's weights); undefined: as its
  /// distribution says. `key` is that of all the delta's tensors: split it by name.
  virtual at::Tensor initial(const DeltaTensor& /*tensor*/, const Weights& /*origin*/, Key /*key*/) const { return {}; }
  /// Weights that the model starts from in place of `origin`'s, when a first value was taken out of them (PiSSA).
  virtual void adjust_origin(const Weights& /*values*/, Weights& /*origin*/) const {}
  /// Frozen tensors that the computation reads beside the model's weights: random projections, factors of a weight. They are no parameters:
  /// nothing trains, selects or counts them, and checkpoints need not hold them. Their distributions are ignored.
  virtual std::vector<DeltaTensor> constants() const { return {}; }
  /// Values of the constants, by name; made of options and of the weights that the model starts from, and of no training's seed.
  virtual Weights constant_values(const Weights& /*origin*/) const { return {}; }
  /// The model computes what it computed before as long as the tensors have their first values.
  virtual bool starts_as_identity() const { return true; }

  /// Weight-side methods: puts other tensors in the place of named weights, connected to autograd through `weights`, which hold the model's
  /// as the deltas in front leave them, and the delta's. `seen` starts as a copy of them.
  virtual void override_weights(const Weights& /*weights*/, Weights& /*seen*/) const {}
  /// Activation- and attention-side methods: appends hooks to the options of one forward pass. The hooks run again in backward under
  /// gradient checkpointing, so they must depend on nothing but their arguments, `weights` (those of override_weights) and keys.
  virtual void install(const Weights& /*weights*/, ForwardOptions& /*forward*/) const {}
  /// What it does to linear maps and tables, by which `adapt` refuses orders that merging would not keep. Methods that cannot be merged say
  /// nothing.
  virtual std::vector<ModuleChange> changes() const { return {}; }
  /// Parameters of the model itself that are trained as they are (BitFit, LayerNorm tuning).
  virtual std::vector<std::string> trained_parameters() const { return {}; }

  /// The factors of all weights that the delta changes, where any factors have a code in it; empty for other methods. @throws Error(user)
  /// when the update is more than a product of factors, or cannot be folded into the weight.
  virtual std::vector<LowRankFactors> low_rank_factors() const { return {}; }

  /// The model's weights with the delta folded in, so that the model alone computes the same; nullopt when there is no such thing.
  virtual std::optional<Weights> merge(const Weights& /*weights*/) const { return std::nullopt; }
  virtual std::string why_not_merged() const { return "it acts on activations, which no weight of the model can express"; }
};

class DeltaMethod {
 public:
  virtual ~DeltaMethod() = default;
  virtual std::string name() const = 0;
  virtual std::string doc() const = 0;
  virtual int version() const = 0;
  virtual OptionTable options() const = 0;  ///< PEFT's names where PEFT has the method
  /// @throws Error(user) when a pattern matches nothing, with the nearest names, or when the model has nowhere to act.
  virtual std::unique_ptr<Delta> attach(const Family& family, const Options& options) const = 0;
  /// The method as PEFT has it; nullopt where PEFT lacks it. The two calls below are made of methods that have one.
  virtual std::optional<PeftType> peft_type() const { return std::nullopt; }
  /// Options that PEFT's adapter_config.json means. @throws Error(user), which is reported as the file's fault.
  virtual nlohmann::json options_from_peft(const nlohmann::ordered_json& /*config*/) const { return nlohmann::json::object(); }
  /// The parameter that a tensor of a folder belongs to, and its value. The name comes without the prefixes of PEFT's wrappers; names that
  /// the model lacks are refused afterwards.
  virtual PeftTensor tensor_from_peft(PeftTensor tensor, const Delta& /*delta*/, const Family& /*family*/) const { return tensor; }
  /// The folder of `delta`, attached with `options`, at the values in `model`; a method that PEFT lacks may write that of another.
  /// @throws Error(user) for what PEFT has no form of, or understands otherwise.
  virtual PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const;
};

/// `base` with deltas attached: one more part of parameters, behind the model's own. Its forward pass is the model's, told what the deltas
/// do. Several deltas act in the order given, as if each were merged before the next is attached. @throws Error(user) when two of them have
/// a tensor of one name, or meet at one module in an order that no forward pass keeps: hooks act behind the weight
std::unique_ptr<Family> adapt(std::shared_ptr<const Family> base, std::vector<std::shared_ptr<const Delta>> deltas);

/// First values of a tensor by its distribution under `key`.
at::Tensor values_by_law(const DeltaTensor& tensor, Key key);

/// First values of the deltas' tensors under `key.split(name)`, put behind the model's weights; what methods take out of the model's is
/// taken out. Constants stand behind all of them. Each delta starts from the weights as those in front of it leave them, `in_front` first,
/// whose values `weights` hold; constants are of the model's own weights.
void add_initial_values(const std::vector<std::shared_ptr<const Delta>>& deltas, Weights& weights, Key key,
                        const std::vector<std::shared_ptr<const Delta>>& in_front = {});

/// A module with a two-dimensional weight: a linear layer or an embedding table; `at_linear` hooks see its calls.
struct LinearModule {
  std::string name;
  int layer = -1;
  int64_t inputs = 0, outputs = 0;  ///< of a table: its rows, and their width
  bool transposed = false;          ///< its weight is [inputs, outputs], as tables are
  bool embedding = false;
  std::string weight = name + ".weight";  ///< the parameter that holds its weight
  bool shared = false;                    ///< another module has the same weight (a tied lm_head): a change of it would change both
};
/// The model's linear maps, in order: those of its layers, of pooler and head, and the lm_head of a language model, tied or not.
std::vector<LinearModule> linear_modules(const Family& family);
/// Its tables of embeddings, in front of the layers.
std::vector<LinearModule> embedding_modules(const Family& family);

/// Linear maps that a list of targets means, by the rules of a list in module_rules.h. `excluded` (same forms) are left out.
/// @throws Error(user) naming `where` and the nearest names, when none is meant.
struct Target {
  std::string pattern;
  LinearModule module;
};
std::vector<Target> find_targets(const Family& family, const std::vector<std::string>& targets, const std::vector<std::string>& excluded,
                                 const std::string& where);

}  // namespace tsrun
