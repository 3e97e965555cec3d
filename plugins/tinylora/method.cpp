#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/unread.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tsrun::tinylora {
namespace {

const UpdateExchange exchange{.type = "TINYLORA",
                              .fields = {"r", "u", "weight_tying", "projection_seed", "tinylora_dropout", "init_v_bound", "bias"},
                              .endings = {".tinylora_A"},
                              .shared = {"tinylora_v."}};

/// Modules in a row that share a vector.
struct Group {
  std::string vector;
  std::vector<Target> members;
};

/// PEFT's rule: as many groups as the share of modules that is not tied, of equal lengths, the last one with the rest. Python rounds halves
/// to even numbers.
std::vector<Group> groups_of(const std::vector<Target>& targets, double tying) {
  const auto modules = static_cast<int64_t>(targets.size());
  const auto groups = std::max<int64_t>(1, static_cast<int64_t>(std::nearbyint(static_cast<double>(modules) * (1 - tying))));
  const int64_t length = std::max<int64_t>(1, modules / groups);
  std::vector<Group> result(static_cast<size_t>(std::min(groups, modules)));
  for (int64_t i = 0; i < modules; ++i)
    result[static_cast<size_t>(std::min(i / length, groups - 1))].members.push_back(targets[static_cast<size_t>(i)]);
  for (size_t g = 0; g < result.size(); ++g) result[g].vector = "tinylora_v." + std::to_string(g);
  return result;
}

class TinyLora final : public WeightUpdate {
 public:
  TinyLora(std::vector<Target> targets, const Options& options)
      : WeightUpdate("tinylora", std::move(targets), Side::activations, {.inputs = options.number("tinylora_dropout")}),
        rank_(options.integer("r")),
        numbers_(options.integer("u")),
        bound_(options.text("init_weights") == "uniform" ? options.number("init_v_bound") : 0),
        key_(Key::root(static_cast<uint64_t>(options.integer("projection_seed"))).split("tinylora")),
        groups_(groups_of(this->targets(), options.number("weight_tying"))) {
    for (const Group& group : groups_)
      for (const Target& target : group.members) vectors_.emplace(target.module.name, group.vector);
  }

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const Group& group : groups_)
      tensors.push_back(
          {group.vector, {numbers_}, group.members.size() == 1 ? group.members.front().module.layer : -1, distribution(), bound_});
    return tensors;
  }

  std::vector<DeltaMatch> matches() const override {
    std::vector<DeltaMatch> matches;
    for (const Group& group : groups_) {
      const std::string& first = group.members.front().module.name;
      const size_t more = group.members.size() - 1;
      matches.push_back({group.members.front().pattern, more == 0 ? first : fmt::format("{} and {} more", first, more), numbers_});
    }
    return matches;
  }

  bool starts_as_identity() const override { return bound_ == 0; }

  std::vector<DeltaTensor> constants() const override {
    std::vector<DeltaTensor> constants;
    for (const auto& [pattern, module] : targets()) {
      const int64_t rank = rank_of(module);
      constants.push_back({module.name + ".tinylora_A", {rank, module.inputs}, module.layer});
      constants.push_back({module.name + ".tinylora_B", {module.outputs, rank}, module.layer});
      constants.push_back(
          {module.name + ".tinylora_P", {numbers_, rank, rank}, module.layer, DeltaTensor::Init::normal, linear_bound(rank)});
    }
    return constants;
  }

  /// √S V, U √S and normal P of the variance 1/r.
  Weights constant_values(const Weights& origin) const override {
    Weights values;
    for (const Target& target : targets()) {
      const PrincipalPart part = principal_part(target, origin, rank_of(target.module));
      values.set(target.module.name + ".tinylora_A", part.s.sqrt().unsqueeze(1) * part.v);
      values.set(target.module.name + ".tinylora_B", part.u * part.s.sqrt());
    }
    for (const DeltaTensor& constant : constants())
      if (constant.name.ends_with("_P")) values.set(constant.name, values_by_law(constant, key_.split(constant.name)));
    return values;
  }

  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const std::string& name = target.module.name;
    const at::Tensor middle = at::tensordot(weights.at(vectors_.at(name)), weights.at(name + ".tinylora_P"), {0}, {0});
    return {weights.at(name + ".tinylora_A"), middle, weights.at(name + ".tinylora_B")};
  }

 private:
  int64_t rank_of(const LinearModule& module) const { return std::min({rank_, module.inputs, module.outputs}); }
  DeltaTensor::Init distribution() const { return bound_ > 0 ? DeltaTensor::Init::uniform : DeltaTensor::Init::zeros; }

  int64_t rank_, numbers_;
  double bound_;
  Key key_;
  std::vector<Group> groups_;
  std::map<std::string, std::string> vectors_;  ///< by module
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Adapted linear layers", "tinylora_only");
  return table.include({
      {.name = "r", .type = OptionType::integer, .fallback = 2, .doc = "Singular values of each weight.", .minimum = 1, .maximum = 4096},
      {.name = "u", .type = OptionType::integer, .fallback = 64, .doc = "Trainable parameters of a group of layers.", .minimum = 1},
      {.name = "weight_tying",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "How far layers share their parameters: 0, each has its own; 1, all have the same.",
       .minimum = 0,
       .maximum = 1},
      {.name = "projection_seed", .type = OptionType::integer, .fallback = 42, .doc = "Seed of the random matrices.", .minimum = 0},
      {.name = "tinylora_dropout",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Dropout of the input.",
       .minimum = 0,
       .maximum = 0.99},
      {.name = "init_weights",
       .type = OptionType::choice,
       .fallback = "zeros",
       .doc = "First values: zeros (PEFT's true), or uniform within init_v_bound.",
       .choices = {"zeros", "uniform"}},
      {.name = "init_v_bound", .type = OptionType::number, .fallback = 0.02, .doc = "Bound of uniform first values.", .minimum = 0},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  if (options.text("init_weights") == "zeros")
    refuse_unread(options, this->options(), {"init_v_bound"}, "tinylora", "all start at zero (init_weights)");
  const std::vector<Target> targets = find_targets(family, options, "tinylora");
  return with_other_parameters(std::make_unique<TinyLora>(targets, options), family, options, targets, "tinylora");
}

std::optional<PeftType> Method::peft_type() const { return exchange.peft_type({}, {"save_projection"}); }

/// The first values of what a folder holds are past, and with them their bound.
nlohmann::json Method::options_from_peft(const nlohmann::ordered_json& config) const {
  nlohmann::json options = exchange.options_from_peft(config);
  options.erase("init_v_bound");
  return options;
}

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  PeftFolder folder = exchange.to_peft(delta, options, model);
  folder.config["save_projection"] = true;
  return folder;
}

}  // namespace tsrun::tinylora
