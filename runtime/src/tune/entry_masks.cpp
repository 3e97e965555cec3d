#include "tsrun/tune/entry_masks.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/linalg/ranking.h"
#include "tsrun/tune/parameter_set.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

namespace tsrun {

OptionTable parameter_options(const std::vector<std::string>& parts, const std::string& acted) {
  return {
      {.name = "parts", .type = OptionType::list, .fallback = parts, .doc = "parts of the model that are " + acted},
      {.name = "patterns",
       .type = OptionType::list,
       .fallback = nlohmann::json::array(),
       .doc = "of these parts, only parameters whose names match one of these patterns, with * for any run of characters"},
      {.name = "matrices_only", .type = OptionType::boolean, .fallback = true, .doc = "neither biases nor norms"},
  };
}

OptionTable mask_options(const std::vector<std::string>& parts, Freeze freeze) {
  OptionTable table = parameter_options(parts, "masked");
  return table.include({
      {.name = "freeze",
       .type = OptionType::choice,
       .fallback = name_of(freeze),
       .doc = "what masked elements do not receive: gradients (moments and decay still move them), updates, or updates and optimiser "
              "moments (state)",
       .choices = {"gradient", "update", "state"}},
  });
}

std::vector<ParameterInfo> masked_parameters(const Family& family, const Options& options, const std::string& who) {
  const auto parts = options.texts("parts");
  std::vector<ParameterInfo> chosen;
  for (const ParameterInfo& info : family.parameters()) {
    const bool named = std::find(parts.begin(), parts.end(), name_of(info.part)) != parts.end();
    const bool matrix = info.kind == ParameterKind::weight || info.kind == ParameterKind::embedding;
    if (info.kind == ParameterKind::embedding && info.part != Part::embeddings) continue;  // relative positions: no linear layer
    if (named && (matrix || !options.flag("matrices_only"))) chosen.push_back(info);
  }
  if (chosen.empty()) user_error("{}: the model has no parameters in {}", who, join_words(parts));
  if (options.texts("patterns").empty()) return chosen;
  const ParameterSet matching = select_parameters(family, {parts, {}, options.texts("patterns"), "whole"});
  std::erase_if(chosen, [&](const ParameterInfo& info) { return matching.layout.find(info.name) == nullptr; });
  if (chosen.empty()) user_error("{}: option 'patterns' matches biases and norms alone, and 'matrices_only' leaves these out", who);
  return chosen;
}

bool masks_embeddings(const Options& options) {
  const auto parts = options.texts("parts");
  return std::find(parts.begin(), parts.end(), name_of(Part::embeddings)) != parts.end();
}

Freeze freeze_of(const Options& options) {
  const std::string name = options.text("freeze");
  return name == name_of(Freeze::gradient) ? Freeze::gradient : name == name_of(Freeze::update) ? Freeze::update : Freeze::state;
}

int64_t share_of_elements(double share, int64_t elements) { return static_cast<int64_t>(std::ceil(share * static_cast<double>(elements))); }

at::Tensor largest_elements(const at::Tensor& scores, int64_t count) {
  const at::Tensor values = scores.detach().to(at::kCPU, at::kFloat).contiguous();
  at::Tensor mask = at::empty(values.sizes(), at::kBool);
  mark_largest({values.const_data_ptr<float>(), static_cast<size_t>(values.numel())}, count, mask.mutable_data_ptr<bool>());
  return mask.to(scores.device());
}

Option granularity_option() {
  return {.name = "granularity",
          .type = OptionType::choice,
          .fallback = "tensor",
          .doc = "where the largest scores are looked for: in each tensor, or in all masked ones together (global)",
          .choices = {"tensor", "global"}};
}

std::vector<at::Tensor> largest_shares(const std::vector<at::Tensor>& scores, double share, bool together) {
  std::vector<at::Tensor> masks;
  if (!together) {
    for (const at::Tensor& one : scores) masks.push_back(largest_elements(one, share_of_elements(share, one.numel())));
    return masks;
  }
  std::vector<at::Tensor> values;
  std::vector<std::span<const float>> runs;
  std::vector<bool*> chosen;
  int64_t elements = 0;
  for (const at::Tensor& one : scores) {
    values.push_back(one.detach().to(at::kCPU, at::kFloat).contiguous());
    runs.emplace_back(values.back().const_data_ptr<float>(), static_cast<size_t>(one.numel()));
    masks.push_back(at::empty(one.sizes(), at::kBool));
    chosen.push_back(masks.back().mutable_data_ptr<bool>());
    elements += one.numel();
  }
  mark_largest(runs, share_of_elements(share, elements), chosen);
  for (size_t i = 0; i < masks.size(); ++i) masks[i] = masks[i].to(scores[i].device());
  return masks;
}

Scope scope_of_scores(const std::vector<ParameterInfo>& parameters, const std::vector<at::Tensor>& scores, const Options& options) {
  const auto masks = largest_shares(scores, options.number("share"), options.text("granularity") == "global");
  Scope scope;
  scope.freeze = freeze_of(options);
  for (size_t i = 0; i < masks.size(); ++i) scope.parameters[parameters[i].name].mask = masks[i];
  return scope;
}

Option others_option(const std::string& fallback) {
  return {.name = "others",
          .type = OptionType::choice,
          .fallback = fallback,
          .doc = "parameters without a mask, but for pooler, head and deltas, which are always trained",
          .choices = {"trained", "frozen"}};
}

void freeze_others(Scope& scope, const Family& family, const Options& options) {
  if (options.text("others") != "frozen") return;
  for (const ParameterInfo& info : family.parameters()) {
    const bool kept = info.part == Part::pooler || info.part == Part::head || info.part == Part::delta;
    if (!kept && !scope.parameters.contains(info.name)) scope.parameters[info.name].trained = false;
  }
}

double kept_share(const Scope& scope) {
  int64_t elements = 0, trained = 0;
  for (const auto& [name, entry] : scope.parameters) {
    if (!entry.mask.defined()) continue;
    elements += entry.mask.numel();
    trained += entry.mask.sum().item<int64_t>();
  }
  return elements == 0 ? 1 : static_cast<double>(trained) / static_cast<double>(elements);
}

double changed_share(const Scope& before, const Scope& after) {
  const auto mask_in = [](const Scope& scope, const std::string& name) {
    const auto found = scope.parameters.find(name);
    return found == scope.parameters.end() ? at::Tensor() : found->second.mask;
  };
  std::set<std::string> names;
  for (const Scope* scope : {&before, &after})
    for (const auto& [name, entry] : scope->parameters)
      if (entry.mask.defined()) names.insert(name);
  int64_t elements = 0, changed = 0;
  for (const std::string& name : names) {
    const at::Tensor old = mask_in(before, name), now = mask_in(after, name);
    const at::Tensor& either = now.defined() ? now : old;
    elements += either.numel();
    changed += (old.defined() && now.defined() ? now.ne(old.to(now.device())) : either.logical_not()).sum().item<int64_t>();
  }
  return elements == 0 ? 0 : static_cast<double>(changed) / static_cast<double>(elements);
}

Scope scope_of_masks(const std::vector<ParameterInfo>& parameters, Freeze freeze,
                     const std::function<at::Tensor(const ParameterInfo&)>& mask) {
  Scope scope;
  scope.freeze = freeze;
  for (const ParameterInfo& info : parameters) scope.parameters[info.name].mask = mask(info);
  return scope;
}

nlohmann::json mask_table(const Scope& scope) {
  nlohmann::json table = nlohmann::json::object();
  for (const auto& [name, entry] : scope.parameters)
    if (entry.mask.defined()) table[name] = {{"elements", entry.mask.numel()}, {"trained", entry.mask.sum().item<int64_t>()}};
  return table;
}

}  // namespace tsrun
