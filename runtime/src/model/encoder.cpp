// The encoder over a packed batch, in the arithmetic of transformers' models of these types.
#include "model/encoder.h"
#include "model/add_norm.h"
#include "model/attention.h"
#include "model/initial.h"
#include "tsrun/base/error.h"
#include "tsrun/model/kernels.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

namespace tsrun {
namespace {

/// One forward pass.
class EncoderPass {
 public:
  EncoderPass(const EncoderSpec& spec, const HeadSpec& head, const std::vector<Site>& sites, const Weights& weights,
              const PackedBatch& batch, const ForwardOptions& options)
      : spec_(spec),
        config_(spec.config),
        names_(spec.names),
        head_(head),
        sites_(sites),
        weights_(weights),
        batch_(batch),
        options_(options) {}

  Output run() {
    check_batch(batch_, config_.vocabulary, config_.segments, config_.positions());
    const bool whole = options_.hidden_states || options_.at_site || options_.from_layer == config_.layers;
    const auto read = whole ? std::nullopt : tokens_read(head_.kind, batch_);
    Output output;
    at::Tensor hidden = options_.from_hidden.defined() ? options_.from_hidden : record(embeddings());
    for (int64_t layer = options_.from_layer; layer < config_.layers; ++layer) {
      const bool narrow = read && layer + 1 == config_.layers;
      hidden = narrow ? run_layer(layer, hidden, token_subset(batch_, *read)) : record(run_layer(layer, hidden, {}));
    }
    if (!read) output.hidden = hidden;
    if (head_.kind != HeadKind::none) output.logits = logits(read ? hidden : only_read(hidden));
    return output;
  }

 private:
  static constexpr int64_t sites_per_layer = 8;
  enum Place { query, key, value, attention_output, attention_norm, feed_forward_in, feed_forward_out, output_norm };

  at::Tensor at_site(int64_t site, const at::Tensor& x) const { return options_.at_site ? options_.at_site(sites_[site], x) : x; }
  at::Tensor at_place(int64_t layer, Place place, const at::Tensor& x) const { return at_site(1 + layer * sites_per_layer + place, x); }

  at::Tensor record(const at::Tensor& hidden) const {
    if (options_.hidden_states) options_.hidden_states->push_back(hidden);
    return hidden;
  }

  double rate(double p) const { return options_.training ? p : 0; }
  Key layer_key(int64_t layer) const { return options_.dropout.split("layer").split(static_cast<uint64_t>(layer)); }

  at::Tensor norm(const std::string& module, const at::Tensor& x, const at::Tensor& residual, const AddNormOptions& options) const {
    return add_norm(x, residual, weights_.at(module + ".weight"), weights_.at(module + ".bias"), options);
  }

  at::Tensor embeddings() const {
    const std::string base = names_.base + "embeddings.";
    const at::Tensor words = embed(weights_, base + "word_embeddings", batch_.ids);
    const at::Tensor rows = config_.first_position == 0 ? batch_.positions : batch_.positions + config_.first_position;
    at::Tensor places = embed(weights_, base + "position_embeddings", rows);
    if (config_.segments > 0) places = places + embed(weights_, base + "token_type_embeddings", batch_.segments);
    at::Tensor x = norm(base + "LayerNorm", words, places, {config_.norm_epsilon, 0, options_.dropout, {}});
    x = dropout(x, rate(config_.hidden_dropout), options_.dropout.split("embeddings"));
    if (config_.embedding != config_.hidden) x = linear(weights_, names_.base + names_.projection, x);
    return at_site(0, x);
  }

  std::optional<std::pair<at::Tensor, at::Tensor>> prefix(int64_t layer) const {
    return options_.attention_prefix ? options_.attention_prefix(static_cast<int>(layer)) : std::nullopt;
  }

  at::Tensor attention(int64_t layer, const at::Tensor& asking, const at::Tensor& x, const TokenSubset& subset) const {
    const std::string base = names_.layer_prefix(layer);
    const at::Tensor q = at_place(layer, query, linear(weights_, base + names_.query, asking));
    at::Tensor k = at_place(layer, key, linear(weights_, base + names_.key, x));
    at::Tensor v = at_place(layer, value, linear(weights_, base + names_.value, x));
    auto rows = std::make_shared<AttentionRows>();
    if (subset.rows) *rows = *subset.rows;
    if (!subset.rows) rows->query_offsets = batch_.host_offsets;
    rows->key_offsets = batch_.host_offsets;
    if (const auto extra = prefix(layer)) {
      rows->prefix = extra->first.size(0);
      rows->key_offsets = offsets_with_prefix(batch_.host_offsets, rows->prefix);
      k = with_prefix(k, extra->first, batch_.host_offsets);
      v = with_prefix(v, extra->second, batch_.host_offsets);
    }
    return attend(q, k, v, rows, {config_.heads, rate(config_.attention_dropout), layer_key(layer).split("attention"), false});
  }

  /// One encoder layer. With a subset, only its tokens ask and come out; all tokens are still looked at.
  at::Tensor run_layer(int64_t layer, const at::Tensor& x, const TokenSubset& subset) const {
    const std::string base = names_.layer_prefix(layer);
    const Key own = layer_key(layer);
    const auto drop = [&](double p, std::string_view name) {
      return AddNormOptions{config_.norm_epsilon, rate(p), own.split(name), subset.host_tokens};
    };
    const at::Tensor asking = subset.rows ? x.index_select(0, subset.tokens) : x;
    at::Tensor y = linear(weights_, base + names_.attention_output, attention(layer, asking, x, subset));
    y = norm(base + names_.attention_norm, at_place(layer, attention_output, y), asking, drop(config_.output_dropout, "attention output"));
    y = at_place(layer, attention_norm, y);
    at::Tensor z = activate(config_.activation, linear(weights_, base + names_.feed_forward_in, y));
    z = linear(weights_, base + names_.feed_forward_out, at_place(layer, feed_forward_in, z));
    z = norm(base + names_.output_norm, at_place(layer, feed_forward_out, z), y, drop(config_.hidden_dropout, "output"));
    return at_place(layer, output_norm, z);
  }

  at::Tensor only_read(const at::Tensor& hidden) const {
    const auto read = tokens_read(head_.kind, batch_);
    return read ? hidden.index_select(0, at::tensor(*read, at::kLong).to(hidden.device())) : hidden;
  }

  /// From the hidden states of the tokens that the head reads.
  at::Tensor logits(const at::Tensor& read) const {
    if (head_.kind == HeadKind::masked_lm) return word_logits(*spec_.words, read);
    if (head_.kind == HeadKind::replaced_token) return replaced_logits(*spec_.replaced, read);
    return class_logits(spec_.classes, read);
  }

  static at::Tensor between(ClassHead::Between activation, const at::Tensor& x) {
    switch (activation) {
      case ClassHead::Between::tanh:
        return at::tanh(x);
      case ClassHead::Between::gelu:
        return at::gelu(x);
      case ClassHead::Between::relu:
        return at::relu(x);
    }
    internal_error("activation {} of a head is unknown", static_cast<int>(activation));
  }

  at::Tensor class_logits(const ClassHead& head, const at::Tensor& first_tokens) const {
    const auto dropped = [&](const at::Tensor& x, std::string_view name) {
      return dropout(x, rate(config_.classifier_dropout), options_.dropout.split(name));
    };
    const at::Tensor x = head.dropout_before_first ? dropped(first_tokens, "classifier input") : first_tokens;
    return linear(weights_, head.second, dropped(between(head.between, linear(weights_, head.first, x)), "classifier"));
  }

  at::Tensor word_logits(const WordHead& head, const at::Tensor& tokens) const {
    const at::Tensor x = activate(head.activation, linear(weights_, head.dense, tokens));
    const at::Tensor y =
        at::layer_norm(x, {config_.embedding}, weights_.at(head.norm + ".weight"), weights_.at(head.norm + ".bias"), config_.norm_epsilon);
    return at::linear(y, weights_.at(names_.base + "embeddings.word_embeddings.weight"), weights_.at(head.bias));
  }

  at::Tensor replaced_logits(const ReplacedTokenHead& head, const at::Tensor& tokens) const {
    return linear(weights_, head.prediction, activate(config_.activation, linear(weights_, head.dense, tokens)));
  }

  const EncoderSpec& spec_;
  const EncoderConfig& config_;
  const EncoderNames& names_;
  const HeadSpec& head_;
  const std::vector<Site>& sites_;
  const Weights& weights_;
  const PackedBatch& batch_;
  const ForwardOptions& options_;
};

class Encoder : public Family {
 public:
  Encoder(EncoderSpec spec, nlohmann::json json, const HeadSpec& head)
      : spec_(std::move(spec)),
        json_(std::move(json)),
        head_(head),
        parameters_(encoder_parameters(spec_, head)),
        sites_(encoder_sites(spec_)) {}

  std::string_view model_type() const override { return spec_.model_type; }
  const nlohmann::json& config() const override { return json_; }
  int layers() const override { return static_cast<int>(spec_.config.layers); }
  int64_t hidden_size() const override { return spec_.config.hidden; }
  const HeadSpec& head() const override { return head_; }
  int64_t max_positions() const override { return spec_.config.positions(); }
  const std::vector<ParameterInfo>& parameters() const override { return parameters_; }
  const std::vector<Site>& sites() const override { return sites_; }
  Output forward(const Weights& weights, const PackedBatch& batch, const ForwardOptions& options) const override {
    return EncoderPass(spec_, head_, sites_, weights, batch, options).run();
  }
  at::Tensor initial(const ParameterInfo& parameter, Key key) const override {
    at::Tensor values = initial_values(parameter, spec_.config.initializer_range, key);
    const bool padded = parameter.name == spec_.names.base + "embeddings.word_embeddings.weight" && spec_.config.padding_id >= 0;
    if (padded) values[spec_.config.padding_id].zero_();
    return values;
  }
  std::unique_ptr<Family> with_words(const std::vector<int64_t>& kept) const override {
    EncoderSpec fewer = spec_;
    fewer.config.vocabulary = static_cast<int64_t>(kept.size());
    const auto padding = std::find(kept.begin(), kept.end(), spec_.config.padding_id);
    fewer.config.padding_id = padding == kept.end() ? -1 : padding - kept.begin();
    nlohmann::json json = json_;
    json["vocab_size"] = fewer.config.vocabulary;
    return std::make_unique<Encoder>(std::move(fewer), std::move(json), head_);
  }

 private:
  EncoderSpec spec_;
  nlohmann::json json_;
  HeadSpec head_;
  std::vector<ParameterInfo> parameters_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Family> make_encoder(EncoderSpec spec, const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  const bool right = head.kind == HeadKind::classification ? head.outputs >= 1 : head.kind != HeadKind::regression || head.outputs == 1;
  if (!right) internal_error("{}: a head with {} outputs", where, head.outputs);
  if (head.kind == HeadKind::causal_lm) user_error("{}: model_type '{}' is an encoder: it has no causal-LM head", where, spec.model_type);
  if (head.kind == HeadKind::masked_lm && !spec.words) user_error("{}: model_type '{}' has no masked-LM head", where, spec.model_type);
  if (head.kind == HeadKind::replaced_token && !spec.replaced) {
    user_error("{}: model_type '{}' has no replaced-token head", where, spec.model_type);
  }
  return std::make_unique<Encoder>(std::move(spec), json, head);
}

}  // namespace tsrun
