#pragma once

#include "model/attention.h"
#include "model/blocks.h"
#include "model/family_base.h"
#include "model/recompute.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/family.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tsrun::model {

/// Base of the families' forward passes: batch, options, hooks, prefixes and cache. Batch and options are copies, so that backward can run
/// the pass again; the family (its facts) must outlive that.
class PassBase {
 public:
  PassBase(const FamilyFacts& facts, const Weights& weights, const PackedBatch& batch, const ForwardOptions& options)
      : facts_(facts), weights_(&weights), batch_(batch), options_(options), prefixes_(prefixes(options, facts.layers)) {
    if (prompted()) make_room_for_prompt();
    if (options_.first_position > 0 && batch_.positions.defined()) batch_.positions = batch_.positions + options_.first_position;
  }

 protected:
  const FamilyFacts& facts() const { return facts_; }
  const HeadSpec& head() const { return facts().head; }
  at::Tensor at_site(int64_t site, const at::Tensor& x) const {
    at::Tensor activation = x;
    for (const SiteHook& hook : options_.at_site) activation = hook(facts().sites[static_cast<size_t>(site)], activation);
    return activation;
  }
  at::Tensor record(const at::Tensor& hidden) const {
    if (options_.hidden_states) options_.hidden_states->push_back(hidden);
    return hidden;
  }
  double rate(double p) const { return options_.training ? p : 0; }
  /// Key of a layer's dropout mask `name`. In evaluation no key is derived, which would cost a hash.
  Key draw_key(int64_t layer, std::string_view name) const {
    return options_.training ? options_.dropout.split("layer").split(static_cast<uint64_t>(layer)).split(name) : options_.dropout;
  }
  Key draw_key(std::string_view name) const { return options_.training ? options_.dropout.split(name) : options_.dropout; }
  const at::Tensor& weight(const std::string& name) const { return weights_->at(name); }

  /// Linear layer: x Wᵀ (+ b) with `module`.weight and `module`.bias, in the pass's precision.
  at::Tensor linear(const std::string& module, const at::Tensor& x, bool bias = true, bool transposed = false) const;

  /// Output of a linear layer or an embedding table behind the hooks; `y` is the module's own.
  at::Tensor at_linear(const std::string& module, const at::Tensor& x, const at::Tensor& y) const {
    at::Tensor output = y;
    for (const LinearHook& hook : options_.at_linear) output = hook({module, x, y}, output);
    return output;
  }

  /// Rows `ids` of the embedding table `weight` behind the hooks of `module` (modules may share a table; empty: the table's own). The row
  /// of the token `padding` (-1: none) gets no gradient.
  at::Tensor rows_of(const std::string& weight, const at::Tensor& ids, const std::string& module = {}, int64_t padding = -1) const;

  /// Word embeddings `weight` of the batch behind the hooks of `module`, with the prompt in front where there is one.
  at::Tensor word_rows(const std::string& weight, const std::string& module = {}, int64_t padding = -1) const;
  /// Ids of the rows without their prompt, and their vectors [tokens, width] with the prompt in front where there is one.
  const at::Tensor& own_ids() const { return has_prompt() ? own_ids_ : batch_.ids; }
  at::Tensor behind_prompt(const at::Tensor& rows) const { return has_prompt() ? with_prefix(rows, options_.prompt, own_offsets_) : rows; }
  /// Whether rows begin with a prompt's vectors.
  bool has_prompt() const { return !own_offsets_.empty(); }

  /// Queries, keys and values of a layer; with a subset, queries of its tokens only.
  struct QueryKeyValue {
    at::Tensor query, key, value;
    std::optional<TokenSubset> subset;
  };
  /// Self-attention over the layer's prefix, cached tokens and the tokens at `offsets`. `window`: as AttentionRows'.
  at::Tensor attend_within(int64_t layer, QueryKeyValue projected, const std::vector<int64_t>& offsets, const AttentionOptions& attention,
                           int64_t window = 0) const;

  /// Length of a layer's prefix.
  int64_t prefix_length(int64_t layer) const {
    const auto prefix = prefix_of(layer);
    return prefix ? prefix->first.size(0) : 0;
  }

  /// Tokens that the head reads, ascending, of the rows at `offsets`: the first (or last) of each row for a head over rows, those with a
  /// target for language models, with a cache the last of each row. nullopt: all of them.
  std::optional<std::vector<int64_t>> tokens_read(const std::vector<int64_t>& offsets, bool from_last) const;
  /// Whether hidden states are recorded or hooked: then the last layer must compute all tokens.
  bool watched() const { return options_.hidden_states || !options_.at_site.empty(); }
  /// Whether the pass ends in front of `layer`.
  bool stops_at(int64_t layer) const { return options_.to_layer >= 0 && layer >= options_.to_layer; }

  /// `run(x)` under gradient checkpointing. It receives the layer's weights, its prefix and `extra`, which it must read by name: backward
  /// passes other tensors.
  using Extra = std::vector<std::pair<std::string, at::Tensor>>;
  at::Tensor recompute(int64_t layer, const at::Tensor& x, const Extra& extra, const RecomputedPart& run) const;

 private:
  /// Whether this pass reads the prompt: with a cache, the first one only.
  bool prompted() const { return options_.prompt.defined() && batch_.ids.defined() && (!options_.cache || options_.cache->empty()); }
  void make_room_for_prompt();
  std::optional<std::vector<int64_t>> tokens_behind_prompt() const;
  static std::vector<KeyValuePrefix> prefixes(const ForwardOptions& options, int64_t layers);
  KeyValuePrefix prefix_of(int64_t layer) const;
  at::Tensor attend_cached(int64_t layer, const QueryKeyValue& projected, const std::vector<int64_t>& offsets,
                           const AttentionOptions& attention, int64_t window) const;

 protected:
  std::reference_wrapper<const FamilyFacts> facts_;
  const Weights* weights_;
  PackedBatch batch_;
  ForwardOptions options_;

 private:
  std::vector<KeyValuePrefix> prefixes_;  ///< of every layer; empty: no prefix hooks
  at::Tensor own_ids_;                    ///< ids of the rows without their prompt
  std::vector<int64_t> own_offsets_;
};

/// Rows of `x` at `tokens`, or all of them.
at::Tensor only(const at::Tensor& x, const std::optional<std::vector<int64_t>>& tokens);

}  // namespace tsrun::model
