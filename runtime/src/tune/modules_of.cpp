#include "tsrun/tune/delta.h"
#include "tsrun/tune/module_rules.h"

#include <algorithm>

namespace tsrun {
namespace {

const std::string weight_ending = ".weight";

std::string module_of_weight(const ParameterInfo& info) { return info.name.substr(0, info.name.size() - weight_ending.size()); }

const ParameterInfo* word_table(const Family& family) {
  for (const ParameterInfo& info : family.parameters())
    if (info.part == Part::embeddings && info.kind == ParameterKind::embedding) return &info;
  return nullptr;
}

bool has_parameter(const Family& family, const std::string& name) {
  return std::any_of(family.parameters().begin(), family.parameters().end(), [&](const auto& info) { return info.name == name; });
}

/// Whether the word scores of a language model are made with the word embeddings.
bool ties_words(const Family& family) {
  const HeadKind head = family.head().kind;
  if (head == HeadKind::masked_lm) return true;
  return (head == HeadKind::causal_lm || head == HeadKind::seq2seq_lm) && !has_parameter(family, "lm_head.weight");
}

LinearModule table_of(const ParameterInfo& info, const std::string& name, bool shared) {
  return {name, -1, info.shape[0], info.shape[1], /*transposed=*/true, /*embedding=*/true, info.name, shared};
}

}  // namespace

std::vector<LinearModule> linear_modules(const Family& family) {
  std::vector<LinearModule> modules;
  for (const ParameterInfo& info : family.parameters()) {
    if (info.part == Part::delta || info.kind != ParameterKind::weight || info.shape.size() != 2) continue;
    if (!info.name.ends_with(weight_ending)) continue;  // of a recurrent layer, which is no linear module
    modules.push_back(
        {module_of_weight(info), info.layer, info.shape[info.transposed ? 0 : 1], info.shape[info.transposed ? 1 : 0], info.transposed});
  }
  const ParameterInfo* words = word_table(family);
  if (words && family.head().kind != HeadKind::masked_lm && ties_words(family))
    modules.push_back({"lm_head", -1, words->shape[1], words->shape[0], /*transposed=*/false, /*embedding=*/false, words->name, true});
  return modules;
}

std::vector<LinearModule> embedding_modules(const Family& family) {
  std::vector<LinearModule> modules;
  const ParameterInfo* words = word_table(family);
  for (const ParameterInfo& info : family.parameters()) {
    if (info.part != Part::embeddings || info.kind != ParameterKind::embedding) continue;
    if (family.model_kind() == ModelKind::encoder_decoder) {
      for (const char* stack : {"encoder.embed_tokens", "decoder.embed_tokens"}) modules.push_back(table_of(info, stack, true));
    } else {
      modules.push_back(table_of(info, module_of_weight(info), &info == words && ties_words(family)));
    }
  }
  return modules;
}

std::string base_prefix(const Family& family) {
  std::string prefix;
  for (const ParameterInfo& info : family.parameters()) {
    if (info.part == Part::head || info.part == Part::delta) continue;
    const std::string first = info.name.substr(0, info.name.find('.') + 1);
    if (prefix.empty()) prefix = first;
    if (first != prefix) return "";
  }
  return prefix;
}

}  // namespace tsrun
