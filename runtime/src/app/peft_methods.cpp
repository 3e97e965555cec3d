#include "app/peft_methods.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace tsrun::app {
namespace {

/// The types that PEFT 0.21.2 knows (peft.utils.peft_types), and what those that are not here are. Nothing: a plugin has it.
const std::vector<std::pair<std::string, std::string>> peft_types = {
    {"ADALORA", ""},
    {"ADAMSS", "subspaces of a weight's clustered singular vectors, chosen in training"},
    {"ADAPTION_PROMPT", "LLaMA-Adapter: gated prompts of the upper layers; nearest: prefix"},
    {"BEFT", "chosen biases of the attention; nearest: bitfit"},
    {"BOFT", ""},
    {"C3A", "circular convolutions as updates; nearest: fourierft"},
    {"CARTRIDGE", "a stored cache of keys and values, distilled from texts; nearest: prefix"},
    {"CPT", "prompts of given examples whose tokens move within bounds; nearest: prompt"},
    {"DEFT", "updates that replace a projected part of the weight; nearest: hra"},
    {"DELORA", "LoRA with a bounded, normalised update; nearest: lora with use_dora"},
    {"FOURIERFT", ""},
    {"FROD", "shared full-rank factors with sparse trained entries; nearest: randlora"},
    {"GLORA", "LoRA with trained scales and shifts of weight and bias; nearest: lora beside bitfit"},
    {"GRALORA", "LoRA of every block of a weight; nearest: lora"},
    {"HIRA", "a low-rank product that multiplies the weight; nearest: loha"},
    {"HRA", ""},
    {"IA3", ""},
    {"LILY", "LoRA whose factors layers share through routers; nearest: vera"},
    {"LN_TUNING", ""},
    {"LOHA", ""},
    {"LOKR", ""},
    {"LORA", ""},
    {"MISS", ""},
    {"MULTITASK_PROMPT_TUNING", "prompts of a shared matrix and one rank-one factor a task; nearest: prompt"},
    {"OFT", ""},
    {"OSF", "full training outside a weight's leading singular vectors; nearest: a subspace"},
    {"PEANUT", "small networks of the weight as updates; nearest: compacter"},
    {"POLY", "routed mixtures of LoRA over tasks; nearest: lora"},
    {"PREFIX_TUNING", ""},
    {"PROMPT_TUNING", ""},
    {"PSOFT", "rotations within a weight's principal part; nearest: oft, or lora_xs"},
    {"PVERA", "VeRA with sampled vectors; nearest: vera"},
    {"P_TUNING", "prompts that a network computes; nearest: prompt, or prefix with prefix_projection"},
    {"RANDLORA", ""},
    {"ROAD", "rotations and scales of pairs of outputs; nearest: boft, or ia3"},
    {"SHADOW", "a small network beside the model that all layers update; nearest: adapter"},
    {"SHIRA", "sparse trained entries of weights; nearest: a scope of ts.select"},
    {"SUPERTUNING", "a sparse support of entries, as the selector super_tuning chooses it here"},
    {"TINYLORA", ""},
    {"TRAINABLE_TOKENS", "trained rows of embeddings; here an option of lora, trainable_token_indices"},
    {"UNILORA", "all factors of LoRA from one vector; here a subspace over lora"},
    {"VBLORA", ""},
    {"VERA", ""},
    {"WAVEFT", "sparse coefficients of a wavelet transform; nearest: fourierft"},
    {"XLORA", "routed mixtures of LoRA over tokens; nearest: lora"},
};

std::string fallback(const std::string& reason) { return reason.empty() ? "its plugin was not found" : reason; }

}  // namespace

std::vector<DeltaRow> delta_rows(const PluginHost& plugins) {
  std::map<std::string, DeltaRow> of_peft;
  std::vector<DeltaRow> own;
  for (const auto& [type, reason] : peft_types) of_peft[type] = {type, "", fallback(reason)};
  for (const PluginInfo& plugin : plugins.plugins()) {
    if (plugin.kind != "delta") continue;
    const auto type = plugins.delta(plugin.name).peft_type();
    const auto known = type ? of_peft.find(type->name) : of_peft.end();
    if (known != of_peft.end())
      known->second = {type->name, plugin.name, plugin.doc};
    else
      own.push_back({"", plugin.name, plugin.doc});
  }
  std::vector<DeltaRow> rows;
  for (auto& [type, row] : of_peft) rows.push_back(std::move(row));
  rows.insert(rows.end(), own.begin(), own.end());
  return rows;
}

std::string text_of(const std::vector<DeltaRow>& rows) {
  const auto line = [](const DeltaRow& row) {
    return fmt::format("  {:<25}{:<18}{}\n", row.peft_type, row.name.empty() ? "not here" : row.name, row.doc);
  };
  std::string here, not_here, alone;
  for (const DeltaRow& row : rows) (row.peft_type.empty() ? alone : row.name.empty() ? not_here : here) += line(row);
  const auto of_peft = std::count_if(rows.begin(), rows.end(), [](const DeltaRow& row) { return !row.peft_type.empty(); });
  const auto ours =
      std::count_if(rows.begin(), rows.end(), [](const DeltaRow& row) { return !row.peft_type.empty() && !row.name.empty(); });
  return fmt::format("Methods of PEFT {}: {} of {} are here; their folders are read and written\n{}\nNot here\n{}\nBeyond PEFT\n{}",
                     peft_version, ours, of_peft, here, not_here, alone);
}

nlohmann::json json_of(const std::vector<DeltaRow>& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const DeltaRow& row : rows) list.push_back({{"peft_type", row.peft_type}, {"name", row.name}, {"doc", row.doc}});
  return {{"peft", peft_version}, {"deltas", list}};
}

}  // namespace tsrun::app
