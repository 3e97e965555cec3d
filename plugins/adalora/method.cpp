#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <map>

namespace tsrun::adalora {
namespace {

using nlohmann::json;

const UpdateExchange exchange{
    .type = "ADALORA", .fields = {"init_r", "lora_alpha", "lora_dropout", "rank_pattern", "bias"}, .endings = {".lora_E"}};

class AdaLora final : public WeightUpdate {
 public:
  AdaLora(std::vector<Target> targets, std::map<std::string, int64_t> ranks, const Options& options)
      : WeightUpdate("adalora", std::move(targets), Side::activations, {.inputs = options.number("lora_dropout")}),
        ranks_(std::move(ranks)),
        first_rank_(options.integer("init_r")),
        alpha_(options.number("lora_alpha")) {}

  std::vector<DeltaTensor> tensors() const override {
    constexpr double deviation = 0.02;
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets()) {
      const int64_t rank = ranks_.at(module.name);
      tensors.push_back({module.name + ".lora_A", {rank, module.inputs}, module.layer, DeltaTensor::Init::normal, deviation});
      tensors.push_back({module.name + ".lora_E", {rank, 1}, module.layer});
      tensors.push_back({module.name + ".lora_B", {module.outputs, rank}, module.layer, DeltaTensor::Init::normal, deviation});
    }
    return tensors;
  }

  /// The scale stays that of the first rank when triplets are dropped.
  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const std::string& module = target.module.name;
    const double scale = (alpha_ > 0 ? alpha_ : static_cast<double>(ranks_.at(module))) / (static_cast<double>(first_rank_) + 1e-5);
    return {weights.at(module + ".lora_A") * (weights.at(module + ".lora_E") * scale), weights.at(module + ".lora_B")};
  }

 private:
  std::map<std::string, int64_t> ranks_;  ///< by module
  int64_t first_rank_;
  double alpha_;
};

int64_t kept(const json& list, const std::string& key) {
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), [](const json& one) { return one.is_boolean(); }))
    user_error("adalora: rank_pattern: '{}' is {}, expected a list of true and false", key, list.dump());
  return std::count(list.begin(), list.end(), json(true));
}

/// Ranks by module: the true entries of its list in rank_pattern, or init_r.
std::map<std::string, int64_t> ranks_of(const Family& family, const Options& options, const std::vector<Target>& targets) {
  json patterns = options.value("rank_pattern");
  std::map<std::string, int64_t> ranks;
  std::vector<std::string> known;
  for (const Target& target : targets) {
    const std::string key = rule_name(family, options, target.module.name) + ".lora_E";
    known.push_back(key);
    const auto pattern = patterns.find(key);
    ranks[target.module.name] = pattern == patterns.end() ? options.integer("init_r") : kept(*pattern, key);
    if (ranks[target.module.name] == 0) user_error("adalora: rank_pattern leaves '{}' no triplet; leave it out of target_modules", key);
    if (pattern != patterns.end()) patterns.erase(pattern);
  }
  for (const auto& [key, list] : patterns.items())
    user_error("adalora: rank_pattern: '{}' is no adapted module's{}", key, did_you_mean(key, known));
  return ranks;
}

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Adapted linear layers", "lora_only");
  return table.include({
      {.name = "init_r",
       .type = OptionType::integer,
       .fallback = 12,
       .doc = "Triplets of each layer at first.",
       .minimum = 1,
       .maximum = 4096},
      {.name = "lora_alpha",
       .type = OptionType::number,
       .fallback = 8.0,
       .doc = "The update is scaled by lora_alpha / init_r; 0: by the layer's rank / init_r.",
       .minimum = 0},
      {.name = "lora_dropout", .type = OptionType::number, .fallback = 0.0, .doc = "Dropout of Q's input.", .minimum = 0, .maximum = 0.99},
      {.name = "rank_pattern",
       .type = OptionType::table,
       .fallback = json::object(),
       .doc = "Triplets left, as PEFT writes them: \"<module>.lora_E\" = list of true and false."},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const std::vector<Target> targets = find_targets(family, options, "adalora");
  auto adalora = std::make_unique<AdaLora>(targets, ranks_of(family, options, targets), options);
  return with_other_parameters(std::move(adalora), family, options, targets, "adalora");
}

/// Fields of LoRA that AdaLoRA's layers do not look at are idle, and so is the schedule of a finished training.
std::optional<PeftType> Method::peft_type() const {
  return exchange.peft_type(
      {"megatron_config", "layer_replication", "target_parameters", "use_qalora", "use_bdlora", "arrow_config", "kasa_config", "use_dora",
       "lora_bias", "monteclora_config", "velora_config", "alora_invocation_tokens", "trainable_token_indices", "ensure_weight_tying"},
      {"target_r", "tinit", "tfinal", "deltaT", "beta1", "beta2", "orth_reg_weight", "total_step", "r", "use_rslora", "alpha_pattern",
       "init_lora_weights", "megatron_core", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size",
       "runtime_config"});
}

json Method::options_from_peft(const nlohmann::ordered_json& config) const { return exchange.options_from_peft(config); }

/// PEFT reads no folder without a schedule that could still run.
PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  PeftFolder folder = exchange.to_peft(delta, options, model);
  if (options.value("rank_pattern").empty()) folder.config["rank_pattern"] = nullptr;
  folder.config["total_step"] = 1;
  return folder;
}

}  // namespace tsrun::adalora
