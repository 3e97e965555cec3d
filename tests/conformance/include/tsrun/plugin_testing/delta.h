#pragma once

#include "tsrun/plugin/plugin.h"

#include <memory>
#include <string>
#include <vector>

/// What every delta method must keep, as tests; linked like those of subspaces (subspace.h). Every method that the plugin registers is
/// attached to small models of three kinds with the options that `add_delta_case` lists, or with none.
///
///     const bool added = tsrun::plugin_testing::add_delta_case("my_delta", {{"rank", 4}});
namespace tsrun::plugin_testing {

/// Another set of options under which `method` must pass. Call it before main (from an initialiser). Always true.
bool add_delta_case(const std::string& method, const nlohmann::json& options);

/// The methods that the linked plugin registers.
const std::vector<std::unique_ptr<DeltaMethod>>& delta_methods();
const DeltaMethod& delta_method(const std::string& name);

/// A made-up model with its weights and three rows to read, of several lengths.
struct SmallModel {
  std::string name;
  std::shared_ptr<const Family> family;
  Weights weights;
  PackedBatch batch;  ///< with targets
};
/// Two layers each: BERT with a head of three classes, GPT-2, and T5 with two layers a stack.
SmallModel small_bert();
SmallModel small_gpt2();
SmallModel small_t5();

/// The batch's row alone.
PackedBatch row_alone(const PackedBatch& batch, int64_t row);

/// A delta attached to a small model.
struct Attached {
  std::shared_ptr<const Delta> delta;
  std::shared_ptr<const Family> family;  ///< the adapted one
  Weights first;                         ///< the model's weights and the delta's first values
  Weights random;                        ///< the same with noise on every tensor of the delta and every parameter that it trains
};
/// Resolves `options` against the method's table and attaches. @throws Error(user) as the method does
Attached attach(const DeltaMethod& method, const SmallModel& model, const nlohmann::json& options = nlohmann::json::object(),
                uint64_t seed = 1);

/// Logits under `weights`, without autograd; targets are ignored, so that every token is judged.
at::Tensor logits_of(const Family& family, const Weights& weights, const PackedBatch& batch);

}  // namespace tsrun::plugin_testing
