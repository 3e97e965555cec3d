// The encoder over a packed batch, in the arithmetic of transformers' models of these types.
#include "model/encoder.h"
#include "model/add_norm.h"
#include "model/initial.h"
#include "model/pass_base.h"
#include "model/product.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/kernels.h"

#include <algorithm>

namespace tsrun::model {
namespace {

std::string encoder_words(const EncoderSpec& spec) {
  return (spec.config.tied ? spec.names.base + "embeddings.word_embeddings" : spec.words->scores) + ".weight";
}

class EncoderPass : public PassBase {
 public:
  EncoderPass(const EncoderSpec& spec, const FamilyFacts& facts, const Weights& weights, const PackedBatch& batch,
              const ForwardOptions& options)
      : PassBase(facts, weights, batch, options), spec_(&spec) {}

  Output run() const {
    if (options_.cache) internal_error("an encoder has nothing to go on with: it takes no cache");
    check_batch(batch_, config().vocabulary, config().segments, config().positions());
    const auto wanted = tokens_read(batch_.host_offsets, /*from_last=*/false);
    const bool last_rows_only = wanted && !watched() && options_.from_layer < config().layers && options_.to_layer < 0;
    at::Tensor hidden = options_.from_hidden.defined() ? options_.from_hidden : record(embeddings());
    for (int64_t layer = options_.from_layer; layer < config().layers && !stops_at(layer); ++layer) {
      const bool fewer = last_rows_only && layer + 1 == config().layers;
      hidden = layer_output(layer, hidden, fewer ? token_subset(batch_.host_offsets, *wanted, hidden.device()) : TokenSubset{});
      if (!fewer) record(hidden);
    }
    Output output;
    if (!last_rows_only) output.hidden = hidden;
    if (options_.to_layer >= 0) return output;
    if (head().kind != HeadKind::none) output.logits = logits(last_rows_only ? hidden : only(hidden, wanted));
    output.tokens = wanted;
    return output;
  }

  /// What the head's label matrix multiplies.
  at::Tensor label_inputs(const at::Tensor& read) const {
    if (head().kind == HeadKind::masked_lm) return transformed(*spec_->words, read);
    if (head().kind == HeadKind::token_classification)
      return dropout(read, rate(spec_->tags.dropout.value_or(config().classifier_dropout)), draw_key("classifier"));
    return pooled(spec_->classes, read);
  }

 private:
  static constexpr int64_t sites_per_layer = 8;
  enum Place { query, key, value, attention_output, attention_norm, feed_forward_in, feed_forward_out, output_norm };

  const EncoderConfig& config() const { return spec_->config; }
  const EncoderNames& names() const { return spec_->names; }
  at::Tensor at_place(int64_t layer, Place place, const at::Tensor& x) const { return at_site(1 + layer * sites_per_layer + place, x); }

  at::Tensor norm(const std::string& module, const at::Tensor& x, const at::Tensor& residual, const AddNormOptions& options) const {
    return add_norm(x, residual, weight(module + ".weight"), weight(module + ".bias"), options);
  }

  /// Rows of the position embeddings. RoBERTa gives padding tokens in a text the padding's row and does not count them.
  at::Tensor place_rows() const {
    if (config().first_position == 0) return batch_.positions;
    at::Tensor rows = batch_.positions + config().first_position;
    const at::Tensor padding = batch_.ids == config().padding_id;
    if (has_prompt() || !padding.any().item<bool>()) return rows;
    const at::Tensor ids = batch_.ids.cpu().contiguous();
    rows = rows.cpu().contiguous();
    for (int64_t row = 0; row < batch_.rows(); ++row) {
      int64_t skipped = 0;
      for (int64_t i = batch_.host_offsets[row]; i < batch_.host_offsets[row + 1]; ++i) {
        int64_t& place = rows.mutable_data_ptr<int64_t>()[i];
        const bool is_padding = ids.const_data_ptr<int64_t>()[i] == config().padding_id;
        skipped += is_padding;
        place = is_padding ? config().first_position - 1 : place - skipped;
      }
    }
    return rows.to(batch_.ids.device());
  }

  at::Tensor embeddings() const {
    const std::string base = names().base + "embeddings.";
    const at::Tensor words = word_rows(base + "word_embeddings", {}, config().padding_id);
    at::Tensor places = rows_of(base + "position_embeddings", place_rows(), {}, config().first_position - 1);
    if (config().segments > 0) places = places + rows_of(base + "token_type_embeddings", batch_.segments);
    at::Tensor x = norm(base + "LayerNorm", words, places, {config().norm_epsilon, 0, options_.dropout, {}});
    x = dropout(x, rate(config().hidden_dropout), draw_key("embeddings"));
    if (config().embedding != config().hidden) x = linear(names().base + names().projection, x);
    return at_site(0, x);
  }

  at::Tensor attention(int64_t layer, const at::Tensor& queries, const at::Tensor& x, const TokenSubset& subset) const {
    const std::string base = names().layer_prefix(layer);
    const at::Tensor seen = operand(x, options_.precision), asks = subset.rows ? operand(queries, options_.precision) : seen;
    QueryKeyValue projected{at_place(layer, query, linear(base + names().query, asks)),
                            at_place(layer, key, linear(base + names().key, seen)),
                            at_place(layer, value, linear(base + names().value, seen)),
                            {}};
    if (subset.rows) projected.subset = subset;
    AttentionOptions attention;
    attention.heads = config().heads;
    attention.dropout = rate(config().attention_dropout);
    attention.key = draw_key(layer, "attention");
    return attend_within(layer, std::move(projected), batch_.host_offsets, attention);
  }

  at::Tensor layer_output(int64_t layer, const at::Tensor& x, const TokenSubset& subset) const {
    if (!options_.gradient_checkpointing) return run_layer(layer, x, subset);
    return recompute(layer, x, {}, [pass = *this, layer, subset](const at::Tensor& again, const Weights& weights) {
      EncoderPass other = pass;
      other.weights_ = &weights;
      return other.run_layer(layer, again, subset);
    });
  }

  /// One encoder layer. A subset restricts queries and outputs; keys and values are of all tokens.
  at::Tensor run_layer(int64_t layer, const at::Tensor& x, const TokenSubset& subset) const {
    const std::string base = names().layer_prefix(layer);
    const auto drop = [&](double p, std::string_view name) {
      return AddNormOptions{config().norm_epsilon, rate(p), draw_key(layer, name), subset.host_tokens};
    };
    const at::Tensor queries = subset.rows ? x.index_select(0, subset.tokens) : x;
    at::Tensor y = linear(base + names().attention_output, attention(layer, queries, x, subset));
    y = norm(base + names().attention_norm, at_place(layer, attention_output, y), queries,
             drop(config().output_dropout, "attention output"));
    y = at_place(layer, attention_norm, y);
    at::Tensor z = activate(config().activation, linear(base + names().feed_forward_in, y));
    z = linear(base + names().feed_forward_out, at_place(layer, feed_forward_in, z));
    z = norm(base + names().output_norm, at_place(layer, feed_forward_out, z), y, drop(config().hidden_dropout, "output"));
    return at_place(layer, output_norm, z);
  }

  /// Logits from the hidden states of the tokens that the head reads.
  at::Tensor logits(const at::Tensor& read) const {
    if (head().kind == HeadKind::replaced_token) return replaced_logits(*spec_->replaced, read);
    const at::Tensor x = label_inputs(read);
    if (head().kind == HeadKind::token_classification) return linear(spec_->tags.module, x);
    if (head().kind != HeadKind::masked_lm) return linear(spec_->classes.second, x);
    return at::linear(x, weight(encoder_words(*spec_)), weight(spec_->words->bias));
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

  at::Tensor pooled(const ClassHead& head, const at::Tensor& first_tokens) const {
    const auto dropped = [&](const at::Tensor& x, std::string_view name) {
      return dropout(x, rate(config().classifier_dropout), draw_key(name));
    };
    const at::Tensor x = head.dropout_before_first ? dropped(first_tokens, "classifier input") : first_tokens;
    return dropped(between(head.between, linear(head.first, x)), "classifier");
  }

  at::Tensor transformed(const WordHead& head, const at::Tensor& tokens) const {
    const at::Tensor x = activate(head.activation, linear(head.dense, tokens));
    return at::layer_norm(x, {config().embedding}, weight(head.norm + ".weight"), weight(head.norm + ".bias"), config().norm_epsilon);
  }

  at::Tensor replaced_logits(const ReplacedTokenHead& head, const at::Tensor& tokens) const {
    return linear(head.prediction, activate(config().activation, linear(head.dense, tokens)));
  }

  const EncoderSpec* spec_;
};

FamilyFacts encoder_facts(const EncoderSpec& spec, nlohmann::json json, const HeadSpec& head) {
  return {spec.model_type,
          std::move(json),
          head,
          spec.config.layers,
          spec.config.hidden,
          spec.config.positions(),
          encoder_parameters(spec, head),
          encoder_sites(spec)};
}

class Encoder : public FamilyBase {
 public:
  Encoder(EncoderSpec spec, nlohmann::json json, const HeadSpec& head)
      : FamilyBase(encoder_facts(spec, std::move(json), head)), spec_(std::move(spec)) {}

  ModelKind model_kind() const override { return ModelKind::encoder; }
  Output forward(const Weights& weights, const PackedBatch& batch, const ForwardOptions& options) const override {
    return EncoderPass(spec_, facts_, weights, batch, options).run();
  }
  std::string label_matrix() const override {
    if (head().kind == HeadKind::masked_lm) return encoder_words(spec_);
    if (head().kind == HeadKind::token_classification) return spec_.tags.module + ".weight";
    return head().kind == HeadKind::classification ? spec_.classes.second + ".weight" : "";
  }
  at::Tensor read_out(const Weights& weights, const at::Tensor& states, bool /*normed*/) const override {
    if (label_matrix().empty()) return states;
    return EncoderPass(spec_, facts_, weights, PackedBatch(), ForwardOptions()).label_inputs(states);
  }
  at::Tensor initial(const ParameterInfo& parameter, Key key) const override {
    at::Tensor values = initial_values(parameter, spec_.config.initializer_range, key);
    const bool padded = parameter.name == spec_.names.base + "embeddings.word_embeddings.weight" && spec_.config.padding_id >= 0;
    if (padded) values[spec_.config.padding_id].zero_();
    return values;
  }
  std::unique_ptr<Family> with_vocabulary(const std::vector<int64_t>& kept) const override {
    EncoderSpec fewer = spec_;
    fewer.config.vocabulary = static_cast<int64_t>(kept.size());
    const auto padding = std::find(kept.begin(), kept.end(), spec_.config.padding_id);
    fewer.config.padding_id = padding == kept.end() ? -1 : padding - kept.begin();
    nlohmann::json json = facts_.config;
    json["vocab_size"] = fewer.config.vocabulary;
    return std::make_unique<Encoder>(std::move(fewer), std::move(json), facts_.head);
  }

 private:
  EncoderSpec spec_;
};

}  // namespace

std::unique_ptr<Family> make_encoder(EncoderSpec spec, const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  check_head(head, where);
  const bool has = head.kind == HeadKind::masked_lm        ? spec.words.has_value()
                   : head.kind == HeadKind::replaced_token ? spec.replaced.has_value()
                                                           : head.kind != HeadKind::causal_lm && head.kind != HeadKind::seq2seq_lm;
  if (!has) user_error("{}: model_type '{}', an encoder, has no {} head", where, spec.model_type, name_of(head.kind));
  return std::make_unique<Encoder>(std::move(spec), json, head);
}

}  // namespace tsrun::model
