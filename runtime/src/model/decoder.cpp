// The decoder over a packed batch, in the arithmetic of transformers' models of these types.
#include "model/decoder.h"

#include "model/attention.h"
#include "model/initial.h"
#include "tsrun/base/error.h"
#include "tsrun/model/kernels.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace {

/// One forward pass.
class DecoderPass {
 public:
  DecoderPass(const DecoderSpec& spec, const HeadSpec& head, const std::vector<Site>& sites, const Weights& weights,
              const PackedBatch& batch, const ForwardOptions& options)
      : config_(spec.config), names_(spec.names), head_(head), sites_(sites), weights_(weights), batch_(batch), options_(options) {
    if (config_.rotary) rotary_ = rotary_table(*config_.rotary, batch.positions, config_.head_size);
  }

  Output run() {
    check_batch(batch_, config_.vocabulary, 0, config_.positions);
    const auto wanted = tokens_read(head_.kind, batch_, /*from_last=*/true);
    const bool whole = options_.hidden_states || options_.at_site || options_.from_layer == config_.layers;
    const auto read = whole ? std::nullopt : wanted;
    Output output;
    at::Tensor hidden = options_.from_hidden.defined() ? options_.from_hidden : record(embeddings());
    for (int64_t layer = options_.from_layer; layer < config_.layers; ++layer) {
      const bool last = layer + 1 == config_.layers;
      hidden = run_layer(layer, hidden, last && read ? std::optional(token_subset(batch_, *read)) : std::nullopt);
      if (last) hidden = at_site(static_cast<int64_t>(sites_.size()) - 1, norm(names_.base + names_.final_norm, hidden));
      record(hidden);
    }
    if (!read) output.hidden = hidden;
    const bool narrow = wanted && !read;
    if (head_.kind != HeadKind::none)
      output.logits = logits(narrow ? hidden.index_select(0, at::tensor(*wanted, at::kLong).to(hidden.device())) : hidden);
    return output;
  }

 private:
  static constexpr int64_t sites_per_layer = 8;
  enum Place { attention_norm, query, key, value, attention_output, output_norm, feed_forward_in, feed_forward_out };

  at::Tensor at_site(int64_t site, const at::Tensor& x) const { return options_.at_site ? options_.at_site(sites_[site], x) : x; }
  at::Tensor at_place(int64_t layer, Place place, const at::Tensor& x) const { return at_site(1 + layer * sites_per_layer + place, x); }

  at::Tensor record(const at::Tensor& hidden) const {
    if (options_.hidden_states) options_.hidden_states->push_back(hidden);
    return hidden;
  }

  double rate(double p) const { return options_.training ? p : 0; }
  Key layer_key(int64_t layer) const { return options_.dropout.split("layer").split(static_cast<uint64_t>(layer)); }

  at::Tensor norm(const std::string& module, const at::Tensor& x) const {
    const at::Tensor& gain = weights_.at(module + ".weight");
    if (config_.root_mean_square) return at::rms_norm(x, {config_.hidden}, gain, config_.norm_epsilon);
    return at::layer_norm(x, {config_.hidden}, gain, weights_.at(module + ".bias"), config_.norm_epsilon);
  }

  at::Tensor map(const std::string& module, const at::Tensor& x, bool bias) const {
    const at::Tensor& weight = weights_.at(module + ".weight");
    if (!config_.transposed) return bias ? at::linear(x, weight, weights_.at(module + ".bias")) : at::linear(x, weight);
    return bias ? at::addmm(weights_.at(module + ".bias"), x, weight) : at::matmul(x, weight);
  }

  at::Tensor embeddings() const {
    at::Tensor x = embed(weights_, names_.base + names_.words, batch_.ids);
    if (!config_.rotary) x = x + embed(weights_, names_.base + names_.places, batch_.positions);
    return at_site(0, dropout(x, rate(config_.embedding_dropout), options_.dropout.split("embeddings")));
  }

  struct Projections {
    at::Tensor query, key, value;
  };

  /// Queries of `asking`, keys and values of all tokens, before rotation.
  Projections project(int64_t layer, const at::Tensor& x, const std::optional<TokenSubset>& subset) const {
    const std::string base = names_.layer_prefix(layer);
    const auto asking = [&](const at::Tensor& y) { return subset ? y.index_select(0, subset->tokens) : y; };
    Projections out;
    if (!names_.query_key_value.empty()) {
      const at::Tensor all = map(base + names_.query_key_value, x, config_.attention_bias);
      const int64_t query_width = config_.heads * config_.head_size, key_width = config_.key_heads * config_.head_size;
      out = {asking(all.narrow(1, 0, query_width)), all.narrow(1, query_width, key_width),
             all.narrow(1, query_width + key_width, key_width)};
    } else {
      out = {map(base + names_.query, asking(x), config_.attention_bias), map(base + names_.key, x, config_.attention_bias),
             map(base + names_.value, x, config_.attention_bias)};
    }
    return {at_place(layer, query, out.query), at_place(layer, key, out.key), at_place(layer, value, out.value)};
  }

  /// Each key head as often as it has query heads.
  at::Tensor shared_out(const at::Tensor& x) const {
    const int64_t times = config_.heads / config_.key_heads;
    if (times == 1) return x;
    const int64_t tokens = x.size(0);
    return x.view({tokens, config_.key_heads, 1, config_.head_size})
        .expand({tokens, config_.key_heads, times, config_.head_size})
        .reshape({tokens, config_.heads * config_.head_size});
  }

  at::Tensor attention(int64_t layer, const at::Tensor& x, const std::optional<TokenSubset>& subset) const {
    auto [q, k, v] = project(layer, x, subset);
    if (config_.rotary) {
      const RotaryTable asking =
          subset ? RotaryTable{rotary_.cosines.index_select(0, subset->tokens), rotary_.sines.index_select(0, subset->tokens)} : rotary_;
      q = rotate(asking, q, config_.heads);
      k = rotate(rotary_, k, config_.key_heads);
    }
    auto rows = std::make_shared<AttentionRows>();
    if (subset) *rows = *subset->rows;
    if (!subset) rows->query_offsets = batch_.host_offsets;
    rows->key_offsets = batch_.host_offsets;
    if (options_.attention_prefix) {
      if (const auto extra = options_.attention_prefix(static_cast<int>(layer))) {
        rows->prefix = extra->first.size(0);
        rows->key_offsets = offsets_with_prefix(batch_.host_offsets, rows->prefix);
        k = with_prefix(k, extra->first, batch_.host_offsets);
        v = with_prefix(v, extra->second, batch_.host_offsets);
      }
    }
    return attend(q, shared_out(k), shared_out(v), rows,
                  {config_.heads, rate(config_.attention_dropout), layer_key(layer).split("attention"), /*causal=*/true});
  }

  at::Tensor feed_forward(int64_t layer, const at::Tensor& x) const {
    const std::string base = names_.layer_prefix(layer);
    const bool bias = config_.feed_forward_bias;
    at::Tensor y = map(base + names_.feed_forward_in, x, bias);
    y = names_.gate.empty() ? activate(config_.activation, y) : activate(config_.activation, map(base + names_.gate, x, bias)) * y;
    return at_place(layer, feed_forward_out, map(base + names_.feed_forward_out, at_place(layer, feed_forward_in, y), bias));
  }

  /// One layer. With a subset, only its tokens ask and come out; all tokens are still looked at.
  at::Tensor run_layer(int64_t layer, const at::Tensor& x, const std::optional<TokenSubset>& subset) const {
    const std::string base = names_.layer_prefix(layer);
    const auto dropped = [&](const at::Tensor& y, std::string_view name) {
      return dropout(y, rate(config_.residual_dropout), layer_key(layer).split(name));
    };
    const at::Tensor normed = at_place(layer, attention_norm, norm(base + names_.attention_norm, x));
    at::Tensor y = map(base + names_.attention_output, attention(layer, normed, subset), config_.output_bias);
    y = (subset ? x.index_select(0, subset->tokens) : x) + dropped(at_place(layer, attention_output, y), "attention output");
    return y + dropped(feed_forward(layer, at_place(layer, output_norm, norm(base + names_.feed_forward_norm, y))), "output");
  }

  at::Tensor logits(const at::Tensor& read) const {
    if (head_.kind != HeadKind::causal_lm) return at::linear(read, weights_.at("score.weight"));
    return at::linear(read, weights_.at(config_.tied ? names_.base + names_.words + ".weight" : "lm_head.weight"));
  }

  const DecoderConfig& config_;
  const DecoderNames& names_;
  const HeadSpec& head_;
  const std::vector<Site>& sites_;
  const Weights& weights_;
  const PackedBatch& batch_;
  const ForwardOptions& options_;
  RotaryTable rotary_;
};

class Decoder : public Family {
 public:
  Decoder(DecoderSpec spec, nlohmann::json json, const HeadSpec& head)
      : spec_(std::move(spec)),
        json_(std::move(json)),
        head_(head),
        parameters_(decoder_parameters(spec_, head)),
        sites_(decoder_sites(spec_)) {}

  std::string_view model_type() const override { return spec_.model_type; }
  const nlohmann::json& config() const override { return json_; }
  int layers() const override { return static_cast<int>(spec_.config.layers); }
  int64_t hidden_size() const override { return spec_.config.hidden; }
  const HeadSpec& head() const override { return head_; }
  int64_t max_positions() const override { return spec_.config.positions; }
  const std::vector<ParameterInfo>& parameters() const override { return parameters_; }
  const std::vector<Site>& sites() const override { return sites_; }
  Output forward(const Weights& weights, const PackedBatch& batch, const ForwardOptions& options) const override {
    return DecoderPass(spec_, head_, sites_, weights, batch, options).run();
  }
  at::Tensor initial(const ParameterInfo& parameter, Key key) const override {
    const bool back = parameter.module == spec_.names.attention_output || parameter.module == spec_.names.feed_forward_out;
    const double shrink = spec_.config.scaled_residuals && back ? std::sqrt(2.0 * static_cast<double>(spec_.config.layers)) : 1;
    return initial_values(parameter, spec_.config.initializer_range / shrink, key);
  }
  std::unique_ptr<Family> with_words(const std::vector<int64_t>& kept) const override {
    DecoderSpec fewer = spec_;
    fewer.config.vocabulary = static_cast<int64_t>(kept.size());
    nlohmann::json json = json_;
    json["vocab_size"] = fewer.config.vocabulary;
    return std::make_unique<Decoder>(std::move(fewer), std::move(json), head_);
  }

 private:
  DecoderSpec spec_;
  nlohmann::json json_;
  HeadSpec head_;
  std::vector<ParameterInfo> parameters_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Family> make_decoder(DecoderSpec spec, const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  const bool right = head.kind == HeadKind::classification ? head.outputs >= 1 : head.kind != HeadKind::regression || head.outputs == 1;
  if (!right) internal_error("{}: a head with {} outputs", where, head.outputs);
  if (head.kind == HeadKind::masked_lm || head.kind == HeadKind::replaced_token) {
    user_error("{}: model_type '{}' is causal: it has no masked-LM or replaced-token head", where, spec.model_type);
  }
  return std::make_unique<Decoder>(std::move(spec), json, head);
}

}  // namespace tsrun
