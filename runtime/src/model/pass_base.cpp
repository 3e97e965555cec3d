#include "model/pass_base.h"

#include "model/product.h"
#include "tsrun/base/error.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

namespace tsrun::model {
namespace {

// Extra tensors for recomputation, stored beside the weights under names no parameter can have.
constexpr const char *prefix_key_name = "(prefix key)", *prefix_value_name = "(prefix value)";

KeyValuePrefix prefix_among(const Weights& weights) {
  const at::Tensor *key = weights.find(prefix_key_name), *value = weights.find(prefix_value_name);
  return key ? std::optional(std::pair(*key, *value)) : std::nullopt;
}

KeyValuePrefix in_front(const KeyValuePrefix& first, const KeyValuePrefix& second) {
  if (!first || !second) return first ? first : second;
  return std::pair(at::cat({first->first, second->first}), at::cat({first->second, second->second}));
}

bool judges_tokens(HeadKind head) { return head != HeadKind::classification && head != HeadKind::regression && head != HeadKind::none; }

std::vector<int64_t> edges(const std::vector<int64_t>& offsets, bool from_last) {
  std::vector<int64_t> tokens;
  for (size_t row = 0; row + 1 < offsets.size(); ++row) tokens.push_back(from_last ? offsets[row + 1] - 1 : offsets[row]);
  return tokens;
}

}  // namespace

at::Tensor only(const at::Tensor& x, const std::optional<std::vector<int64_t>>& tokens) {
  return tokens ? x.index_select(0, at::tensor(*tokens, at::kLong).to(x.device())) : x;
}

at::Tensor PassBase::linear(const std::string& module, const at::Tensor& x, bool bias, bool transposed) const {
  const auto added = bias ? std::optional(weights_->at(module + ".bias")) : std::nullopt;
  const at::Tensor y = product(x, weights_->at(module + ".weight"), added, transposed, options_.precision);
  return at_linear(module, x, y);
}

/// Lengthens every row of the batch: placeholder ids and segments, new positions, no targets.
void PassBase::make_room_for_prompt() {
  const int64_t count = options_.prompt.size(0);
  own_ids_ = batch_.ids;
  own_offsets_ = batch_.host_offsets;
  const auto lengthened = [&](const at::Tensor& x, int64_t value) {
    return with_prefix(x, at::full({count}, value, x.options()), own_offsets_);
  };
  if (batch_.targets.defined() && !batch_.decoder_ids.defined() && batch_.targets.size(0) == batch_.ids.size(0) &&
      judges_tokens(head().kind))
    batch_.targets = lengthened(batch_.targets, no_target);
  batch_.ids = lengthened(batch_.ids, 0);
  if (batch_.segments.defined()) batch_.segments = lengthened(batch_.segments, 0);
  batch_.host_offsets = offsets_with_prefix(own_offsets_, count);
  std::vector<int64_t> positions;
  for (int64_t row = 0; row < batch_.rows(); ++row) {
    for (int64_t i = batch_.host_offsets[row]; i < batch_.host_offsets[row + 1]; ++i) positions.push_back(i - batch_.host_offsets[row]);
  }
  batch_.positions = at::tensor(positions, at::kLong).to(batch_.ids.device());
  batch_.offsets = at::tensor(batch_.host_offsets, at::kLong).to(batch_.ids.device());
}

at::Tensor PassBase::rows_of(const std::string& weight, const at::Tensor& ids, const std::string& module, int64_t padding) const {
  const at::Tensor rows = embed(*weights_, weight, ids, padding);
  return at_linear(module.empty() ? weight : module, ids, rows);
}

at::Tensor PassBase::word_rows(const std::string& weight, const std::string& module, int64_t padding) const {
  return behind_prompt(rows_of(weight, own_ids(), module, padding));
}

std::vector<KeyValuePrefix> PassBase::prefixes(const ForwardOptions& options, int64_t layers) {
  if (options.attention_prefix.empty()) return {};
  std::vector<KeyValuePrefix> all(static_cast<size_t>(layers));
  for (int64_t layer = 0; layer < layers; ++layer)
    for (const PrefixHook& hook : options.attention_prefix)
      all[static_cast<size_t>(layer)] = in_front(hook(static_cast<int>(layer)), all[static_cast<size_t>(layer)]);
  return all;
}

KeyValuePrefix PassBase::prefix_of(int64_t layer) const {
  if (auto given = prefix_among(*weights_)) return given;
  return prefixes_.empty() ? std::nullopt : prefixes_[static_cast<size_t>(layer)];
}

at::Tensor PassBase::attend_cached(int64_t layer, const QueryKeyValue& projected, const std::vector<int64_t>& offsets,
                                   const AttentionOptions& attention, int64_t window) const {
  DecodingCache& cache = *options_.cache;
  const auto extra = prefix_of(layer);
  const auto held = extra ? cache.append(static_cast<int>(layer), projected.key, projected.value, offsets, extra->first, extra->second)
                          : cache.append(static_cast<int>(layer), projected.key, projected.value, offsets);
  auto rows = std::make_shared<AttentionRows>();
  rows->query_offsets = projected.subset ? projected.subset->rows->query_offsets : offsets;
  rows->key_offsets = held.offsets;
  rows->key_counts = held.counts;
  rows->prefix = held.prefix;
  rows->window = window;
  for (int64_t row = 0; row < rows->rows(); ++row) {
    for (int64_t i = 0; i < rows->queries(row); ++i) {
      const int64_t place = projected.subset ? projected.subset->rows->position(row, i) : i;
      rows->query_positions.push_back(cache.lengths()[static_cast<size_t>(row)] + place);
    }
  }
  return attend(projected.query, held.keys, held.values, std::move(rows), attention);
}

at::Tensor PassBase::attend_within(int64_t layer, QueryKeyValue projected, const std::vector<int64_t>& offsets,
                                   const AttentionOptions& attention, int64_t window) const {
  if (options_.cache && attention.causal) return attend_cached(layer, projected, offsets, attention, window);
  auto rows = std::make_shared<AttentionRows>();
  if (projected.subset) *rows = *projected.subset->rows;
  if (!projected.subset) rows->query_offsets = offsets;
  rows->key_offsets = offsets;
  rows->window = window;
  if (const auto extra = prefix_of(layer)) {
    rows->prefix = extra->first.size(0);
    rows->key_offsets = offsets_with_prefix(offsets, rows->prefix);
    projected.key = with_prefix(projected.key, extra->first, offsets);
    projected.value = with_prefix(projected.value, extra->second, offsets);
  }
  return attend(projected.query, projected.key, projected.value, std::move(rows), attention);
}

std::optional<std::vector<int64_t>> PassBase::tokens_behind_prompt() const {
  if (own_offsets_.empty()) return std::nullopt;
  std::vector<int64_t> tokens;
  for (int64_t row = 0; row < batch_.rows(); ++row) {
    const int64_t own = own_offsets_[row + 1] - own_offsets_[row];
    for (int64_t i = batch_.host_offsets[row + 1] - own; i < batch_.host_offsets[row + 1]; ++i) tokens.push_back(i);
  }
  return tokens;
}

std::optional<std::vector<int64_t>> PassBase::tokens_read(const std::vector<int64_t>& offsets, bool from_last) const {
  if (options_.cache) return edges(offsets, true);
  switch (head().kind) {
    case HeadKind::none:
      return std::nullopt;
    case HeadKind::replaced_token:
    case HeadKind::token_classification:
      return tokens_behind_prompt();
    case HeadKind::classification:
    case HeadKind::regression:
      return edges(offsets, from_last);
    case HeadKind::masked_lm:
    case HeadKind::causal_lm:
    case HeadKind::seq2seq_lm:
      break;
  }
  if (!batch_.targets.defined()) return head().kind == HeadKind::seq2seq_lm ? std::nullopt : tokens_behind_prompt();
  const at::Tensor targets = batch_.targets.cpu().contiguous();
  std::vector<int64_t> tokens;
  for (int64_t i = 0; i < targets.numel(); ++i) {
    if (targets.const_data_ptr<int64_t>()[i] != no_target) tokens.push_back(i);
  }
  return tokens;
}

at::Tensor PassBase::recompute(int64_t layer, const at::Tensor& x, const Extra& extra, const RecomputedPart& run) const {
  Weights known;
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) known.set(name, tensor);
  };
  for (const ParameterInfo& parameter : facts().parameters) {
    if (parameter.layer == layer) add(parameter.name, weight(parameter.name));
  }
  for (const auto& [name, tensor] : extra) add(name, tensor);
  if (const auto prefix = prefix_of(layer)) {
    add(prefix_key_name, prefix->first);
    add(prefix_value_name, prefix->second);
  }
  return recomputed(x, known, known.names(), run);
}

}  // namespace tsrun::model
