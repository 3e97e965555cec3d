// BERT (Devlin et al., 2019) over a packed batch, in the arithmetic of transformers' BertForSequenceClassification and BertForMaskedLM.
#include "model/add_norm.h"
#include "model/attention.h"
#include "model/bert_parameters.h"
#include "model/families.h"
#include "model/initial.h"
#include "tsrun/base/error.h"
#include "tsrun/model/kernels.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>

namespace tsrun {
namespace {

/// Some tokens of a batch, in order, as the last layer sees them: where they stand, and how the rows' queries lie.
struct TokenSubset {
  at::Tensor tokens, host_tokens;
  std::shared_ptr<const AttentionRows> rows;
};

/// One forward pass.
class BertPass {
 public:
  BertPass(const BertConfig& config, const HeadSpec& head, const std::vector<Site>& sites, const Weights& weights, const PackedBatch& batch,
           const ForwardOptions& options)
      : config_(config), head_(head), sites_(sites), weights_(weights), batch_(batch), options_(options) {}

  Output run() {
    check_batch(batch_, config_.vocabulary, config_.segments, config_.positions);
    const auto read = options_.hidden_states || options_.at_site ? std::nullopt : tokens_read(head_.kind, batch_);
    Output output;
    at::Tensor hidden = record(embeddings());
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      const bool narrow = read && layer + 1 == config_.layers;
      hidden = narrow ? run_layer(layer, hidden, subset(*read)) : record(run_layer(layer, hidden, {}));
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
    const std::string base = "bert.embeddings.";
    const at::Tensor words = embed(weights_, base + "word_embeddings", batch_.ids);
    const at::Tensor places = embed(weights_, base + "position_embeddings", batch_.positions);
    const at::Tensor types = embed(weights_, base + "token_type_embeddings", batch_.segments);
    const at::Tensor x = norm(base + "LayerNorm", words, places + types, {config_.norm_epsilon, 0, options_.dropout, {}});
    return at_site(0, dropout(x, rate(config_.hidden_dropout), options_.dropout.split("embeddings")));
  }

  std::optional<std::pair<at::Tensor, at::Tensor>> prefix(int64_t layer) const {
    return options_.attention_prefix ? options_.attention_prefix(static_cast<int>(layer)) : std::nullopt;
  }

  /// How `tokens` lie in the batch's rows.
  TokenSubset subset(const std::vector<int64_t>& tokens) const {
    auto rows = std::make_shared<AttentionRows>();
    rows->query_offsets.push_back(0);
    size_t next = 0;
    for (int64_t row = 0; row < batch_.rows(); ++row) {
      for (; next < tokens.size() && tokens[next] < batch_.host_offsets[row + 1]; ++next) {
        rows->query_positions.push_back(tokens[next] - batch_.host_offsets[row]);
      }
      rows->query_offsets.push_back(static_cast<int64_t>(next));
    }
    const at::Tensor host = at::tensor(tokens, at::kLong);
    return {host.to(batch_.ids.device()), host, std::move(rows)};
  }

  at::Tensor attention(int64_t layer, const at::Tensor& asking, const at::Tensor& x, const TokenSubset& subset) const {
    const std::string self = bert_layer(layer) + "attention.self.";
    const at::Tensor q = at_place(layer, query, linear(weights_, self + "query", asking));
    at::Tensor k = at_place(layer, key, linear(weights_, self + "key", x));
    at::Tensor v = at_place(layer, value, linear(weights_, self + "value", x));
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
    const std::string base = bert_layer(layer);
    const Key own = layer_key(layer);
    const auto drop = [&](std::string_view name) {
      return AddNormOptions{config_.norm_epsilon, rate(config_.hidden_dropout), own.split(name), subset.host_tokens};
    };
    const at::Tensor asking = subset.rows ? x.index_select(0, subset.tokens) : x;
    at::Tensor y = linear(weights_, base + "attention.output.dense", attention(layer, asking, x, subset));
    y = norm(base + "attention.output.LayerNorm", at_place(layer, attention_output, y), asking, drop("attention output"));
    y = at_place(layer, attention_norm, y);
    at::Tensor z = activate(config_.activation, linear(weights_, base + "intermediate.dense", y));
    z = linear(weights_, base + "output.dense", at_place(layer, feed_forward_in, z));
    z = norm(base + "output.LayerNorm", at_place(layer, feed_forward_out, z), y, drop("output"));
    return at_place(layer, output_norm, z);
  }

  at::Tensor only_read(const at::Tensor& hidden) const {
    const auto read = tokens_read(head_.kind, batch_);
    return read ? hidden.index_select(0, at::tensor(*read, at::kLong).to(hidden.device())) : hidden;
  }

  /// From the hidden states of the tokens that the head reads.
  at::Tensor logits(const at::Tensor& read) const { return head_.kind == HeadKind::masked_lm ? word_logits(read) : class_logits(read); }

  at::Tensor class_logits(const at::Tensor& first_tokens) const {
    const at::Tensor pooled = at::tanh(linear(weights_, "bert.pooler.dense", first_tokens));
    return linear(weights_, "classifier", dropout(pooled, rate(config_.classifier_dropout), options_.dropout.split("classifier")));
  }

  at::Tensor word_logits(const at::Tensor& tokens) const {
    const std::string base = "cls.predictions.", module = base + "transform.LayerNorm";
    const at::Tensor x = activate(config_.activation, linear(weights_, base + "transform.dense", tokens));
    const at::Tensor y =
        at::layer_norm(x, {config_.hidden}, weights_.at(module + ".weight"), weights_.at(module + ".bias"), config_.norm_epsilon);
    return at::linear(y, weights_.at("bert.embeddings.word_embeddings.weight"), weights_.at(base + "bias"));
  }

  const BertConfig& config_;
  const HeadSpec& head_;
  const std::vector<Site>& sites_;
  const Weights& weights_;
  const PackedBatch& batch_;
  const ForwardOptions& options_;
};

class Bert : public Family {
 public:
  Bert(nlohmann::json json, const BertConfig& config, const HeadSpec& head)
      : json_(std::move(json)), config_(config), head_(head), parameters_(bert_parameters(config, head)), sites_(bert_sites(config)) {}

  std::string_view model_type() const override { return "bert"; }
  const nlohmann::json& config() const override { return json_; }
  int layers() const override { return static_cast<int>(config_.layers); }
  int64_t hidden_size() const override { return config_.hidden; }
  const HeadSpec& head() const override { return head_; }
  int64_t max_positions() const override { return config_.positions; }
  const std::vector<ParameterInfo>& parameters() const override { return parameters_; }
  const std::vector<Site>& sites() const override { return sites_; }
  Output forward(const Weights& weights, const PackedBatch& batch, const ForwardOptions& options) const override {
    return BertPass(config_, head_, sites_, weights, batch, options).run();
  }
  at::Tensor initial(const ParameterInfo& parameter, Key key) const override {
    at::Tensor values = initial_values(parameter, config_.initializer_range, key);
    const bool padded = parameter.name == "bert.embeddings.word_embeddings.weight" && config_.padding_id >= 0;
    if (padded) values[config_.padding_id].zero_();
    return values;
  }

 private:
  nlohmann::json json_;
  BertConfig config_;
  HeadSpec head_;
  std::vector<ParameterInfo> parameters_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Family> make_bert(const nlohmann::json& config, const HeadSpec& head, const std::string& where) {
  const bool right = head.kind == HeadKind::classification ? head.outputs >= 1 : head.kind != HeadKind::regression || head.outputs == 1;
  if (!right) internal_error("{}: a head with {} outputs", where, head.outputs);
  return std::make_unique<Bert>(config, read_bert_config(config, where), head);
}

std::string bert_architecture(HeadKind head) {
  if (head == HeadKind::none) return "BertModel";
  return head == HeadKind::masked_lm ? "BertForMaskedLM" : "BertForSequenceClassification";
}

}  // namespace tsrun
