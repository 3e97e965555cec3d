// The decoder over a packed batch, in the arithmetic of transformers' models of these types.
#include "model/decoder.h"

#include "model/initial.h"
#include "model/pass_base.h"
#include "model/product.h"
#include "model/rms_norm.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/kernels.h"

#include <algorithm>
#include <cmath>

namespace tsrun::model {
namespace {

at::Tensor decoder_norm(const DecoderConfig& config, const Weights& weights, const std::string& module, const at::Tensor& x) {
  const at::Tensor& gain = weights.at(module + ".weight");
  if (config.root_mean_square) return rms_norm(x, gain, config.norm_epsilon);
  return at::layer_norm(x, {config.hidden}, gain, weights.at(module + ".bias"), config.norm_epsilon);
}

std::string decoder_words(const DecoderSpec& spec) {
  return spec.config.tied ? spec.names.base + spec.names.words + ".weight" : "lm_head.weight";
}

class DecoderPass : public PassBase {
 public:
  DecoderPass(const DecoderSpec& spec, const FamilyFacts& facts, const Weights& weights, const PackedBatch& batch,
              const ForwardOptions& options)
      : PassBase(facts, weights, batch, options), spec_(&spec) {
    if (config().rotary) rotary_ = rotary_table(*config().rotary, batch_.positions, batch_.host_offsets, config().head_size);
  }

  Output run() const {
    check_batch(batch_, config().vocabulary, 0, config().positions);
    const auto wanted = tokens_to_read();
    const bool last_rows_only = wanted && !watched() && options_.from_layer < config().layers && options_.to_layer < 0;
    at::Tensor hidden = options_.from_hidden.defined() ? options_.from_hidden : record(embeddings());
    for (int64_t layer = options_.from_layer; layer < config().layers && !stops_at(layer); ++layer) {
      const bool last = layer + 1 == config().layers;
      const auto fewer = last && last_rows_only ? std::optional(token_subset(batch_.host_offsets, *wanted, hidden.device())) : std::nullopt;
      hidden = layer_output(layer, hidden, fewer);
      if (last) hidden = at_site(static_cast<int64_t>(facts().sites.size()) - 1, norm(names().base + names().final_norm, hidden));
      record(hidden);
    }
    if (options_.cache) options_.cache->advance(batch_.host_offsets);
    Output output;
    if (!last_rows_only) output.hidden = hidden;
    if (options_.to_layer >= 0) return output;
    if (head().kind != HeadKind::none) output.logits = logits(last_rows_only ? hidden : only(hidden, wanted));
    output.tokens = wanted;
    return output;
  }

 private:
  static constexpr int64_t sites_per_layer = 8;
  enum Place { attention_norm, query, key, value, attention_output, output_norm, feed_forward_in, feed_forward_out };

  const DecoderConfig& config() const { return spec_->config; }
  const DecoderNames& names() const { return spec_->names; }
  at::Tensor at_place(int64_t layer, Place place, const at::Tensor& x) const { return at_site(1 + layer * sites_per_layer + place, x); }

  /// Tokens that the head reads. A row is classified at its last token other than padding (a row of padding: at the first).
  std::optional<std::vector<int64_t>> tokens_to_read() const {
    auto tokens = tokens_read(batch_.host_offsets, /*from_last=*/true);
    const bool classes = head().kind == HeadKind::classification || head().kind == HeadKind::regression;
    if (!classes || config().padding_id < 0 || has_prompt() || !batch_.ids.defined()) return tokens;
    const at::Tensor ids = batch_.ids.cpu().contiguous();
    for (size_t row = 0; row < tokens->size(); ++row) {
      int64_t& last = (*tokens)[row];
      while (last > batch_.host_offsets[row] && ids.const_data_ptr<int64_t>()[last] == config().padding_id) --last;
    }
    return tokens;
  }

  at::Tensor norm(const std::string& module, const at::Tensor& x) const { return decoder_norm(config(), *weights_, module, x); }

  at::Tensor linear(const std::string& module, const at::Tensor& x, bool bias) const {
    return PassBase::linear(module, x, bias, config().transposed);
  }

  at::Tensor embeddings() const {
    at::Tensor x = word_rows(names().base + names().words, {}, names().places.empty() ? config().padding_id : -1);
    if (!config().rotary) x = x + rows_of(names().base + names().places, batch_.positions);
    return at_site(0, dropout(x, rate(config().embedding_dropout), draw_key("embeddings")));
  }

  /// Queries of the subset, keys and values of all tokens, before rotation.
  QueryKeyValue project(int64_t layer, const at::Tensor& x, const std::optional<TokenSubset>& subset) const {
    const std::string base = names().layer_prefix(layer);
    const auto chosen = [&](const at::Tensor& y) { return subset ? y.index_select(0, subset->tokens) : y; };
    QueryKeyValue out;
    if (!names().query_key_value.empty()) {
      const at::Tensor all = linear(base + names().query_key_value, x, config().attention_bias);
      const int64_t query_width = config().heads * config().head_size, key_width = config().key_heads * config().head_size;
      out = {chosen(all.narrow(1, 0, query_width)), all.narrow(1, query_width, key_width),
             all.narrow(1, query_width + key_width, key_width), subset};
    } else {
      const at::Tensor seen = operand(x, options_.precision), asks = subset ? operand(chosen(x), options_.precision) : seen;
      out = {linear(base + names().query, asks, config().attention_bias), linear(base + names().key, seen, config().attention_bias),
             linear(base + names().value, seen, config().attention_bias), subset};
    }
    return {at_place(layer, query, out.query), at_place(layer, key, out.key), at_place(layer, value, out.value), subset};
  }

  double score_scale(int64_t layer) const {
    const double scale = config().scaled_scores ? 1 / std::sqrt(static_cast<double>(config().head_size)) : 1;
    return config().scaled_by_layer ? scale / static_cast<double>(layer + 1) : scale;
  }

  at::Tensor attention(int64_t layer, const at::Tensor& x, const std::optional<TokenSubset>& subset) const {
    QueryKeyValue projected = project(layer, x, subset);
    if (config().rotary) {
      const RotaryTable queries =
          subset ? RotaryTable{rotary_.cosines.index_select(0, subset->tokens), rotary_.sines.index_select(0, subset->tokens)} : rotary_;
      projected.query = rotate(queries, projected.query, config().heads);
      projected.key = rotate(rotary_, projected.key, config().key_heads);
    }
    AttentionOptions attention;
    attention.heads = config().heads;
    attention.key_heads = config().key_heads;
    attention.dropout = rate(config().attention_dropout);
    attention.key = draw_key(layer, "attention");
    attention.causal = true;
    attention.scale = score_scale(layer);
    const int64_t window = config().windows.empty() ? 0 : config().windows[static_cast<size_t>(layer)];
    return attend_within(layer, std::move(projected), batch_.host_offsets, attention, window);
  }

  at::Tensor layer_output(int64_t layer, const at::Tensor& x, const std::optional<TokenSubset>& subset) const {
    if (!options_.gradient_checkpointing) return run_layer(layer, x, subset);
    return recompute(layer, x, {}, [pass = *this, layer, subset](const at::Tensor& again, const Weights& weights) {
      DecoderPass other = pass;
      other.weights_ = &weights;
      return other.run_layer(layer, again, subset);
    });
  }

  at::Tensor feed_forward(int64_t layer, const at::Tensor& x) const {
    const std::string base = names().layer_prefix(layer);
    const bool bias = config().feed_forward_bias;
    const at::Tensor seen = operand(x, options_.precision);
    at::Tensor y = linear(base + names().feed_forward_in, seen, bias);
    y = names().gate.empty() ? activate(config().activation, y)
                             : activate(config().activation, linear(base + names().gate, seen, bias)) * y;
    return at_place(layer, feed_forward_out, linear(base + names().feed_forward_out, at_place(layer, feed_forward_in, y), bias));
  }

  /// One layer. A subset restricts queries and outputs; keys and values are of all tokens.
  at::Tensor run_layer(int64_t layer, const at::Tensor& x, const std::optional<TokenSubset>& subset) const {
    const std::string base = names().layer_prefix(layer);
    const auto dropped = [&](const at::Tensor& y, std::string_view name) {
      return dropout(y, rate(config().residual_dropout), draw_key(layer, name));
    };
    const at::Tensor normed = at_place(layer, attention_norm, norm(base + names().attention_norm, x));
    at::Tensor y = linear(base + names().attention_output, attention(layer, normed, subset), config().output_bias);
    y = (subset ? x.index_select(0, subset->tokens) : x) + dropped(at_place(layer, attention_output, y), "attention output");
    return y + dropped(feed_forward(layer, at_place(layer, output_norm, norm(base + names().feed_forward_norm, y))), "output");
  }

  at::Tensor logits(const at::Tensor& read) const {
    if (head().kind == HeadKind::token_classification)
      return PassBase::linear(names().tags, dropout(read, rate(config().tag_dropout), draw_key("classifier")));
    if (head().kind != HeadKind::causal_lm) return at_linear("score", read, at::linear(read, weight("score.weight")));
    return at_linear("lm_head", read, product(read, weight(decoder_words(*spec_)), {}, false, options_.precision));
  }

  const DecoderSpec* spec_;
  RotaryTable rotary_;
};

FamilyFacts decoder_facts(const DecoderSpec& spec, nlohmann::json json, const HeadSpec& head) {
  return {spec.model_type,
          std::move(json),
          head,
          spec.config.layers,
          spec.config.hidden,
          spec.config.positions,
          decoder_parameters(spec, head),
          decoder_sites(spec)};
}

class Decoder : public FamilyBase {
 public:
  Decoder(DecoderSpec spec, nlohmann::json json, const HeadSpec& head)
      : FamilyBase(decoder_facts(spec, std::move(json), head)), spec_(std::move(spec)) {}

  ModelKind model_kind() const override { return ModelKind::causal; }
  Output forward(const Weights& weights, const PackedBatch& batch, const ForwardOptions& options) const override {
    return DecoderPass(spec_, facts_, weights, batch, options).run();
  }
  std::string label_matrix() const override {
    if (head().kind == HeadKind::causal_lm) return decoder_words(spec_);
    if (head().kind == HeadKind::token_classification) return spec_.names.tags + ".weight";
    return head().kind == HeadKind::classification ? "score.weight" : "";
  }
  at::Tensor read_out(const Weights& weights, const at::Tensor& states, bool normed) const override {
    return normed ? states : decoder_norm(spec_.config, weights, spec_.names.base + spec_.names.final_norm, states);
  }
  at::Tensor initial(const ParameterInfo& parameter, Key key) const override {
    const bool back = parameter.module == spec_.names.attention_output || parameter.module == spec_.names.feed_forward_out;
    const double shrink = spec_.config.scaled_residuals && back ? std::sqrt(2.0 * static_cast<double>(spec_.config.layers)) : 1;
    return initial_values(parameter, spec_.config.initializer_range / shrink, key);
  }
  std::unique_ptr<Family> with_vocabulary(const std::vector<int64_t>& kept) const override {
    DecoderSpec fewer = spec_;
    fewer.config.vocabulary = static_cast<int64_t>(kept.size());
    const auto padding = std::find(kept.begin(), kept.end(), spec_.config.padding_id);
    fewer.config.padding_id = padding == kept.end() ? -1 : padding - kept.begin();
    nlohmann::json json = facts_.config;
    json["vocab_size"] = fewer.config.vocabulary;
    return std::make_unique<Decoder>(std::move(fewer), std::move(json), facts_.head);
  }

 private:
  DecoderSpec spec_;
};

}  // namespace

double read_tag_dropout(const ConfigReader& reader) {
  return reader.number(reader.has("classifier_dropout") ? "classifier_dropout" : "hidden_dropout", 0, 0.99, 0.1);
}

std::unique_ptr<Family> make_decoder(DecoderSpec spec, const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  check_head(head, where);
  if (head.kind == HeadKind::masked_lm || head.kind == HeadKind::seq2seq_lm || head.kind == HeadKind::replaced_token) {
    user_error("{}: model_type '{}', which reads forwards only, has no {} head", where, spec.model_type, name_of(head.kind));
  }
  if (const auto padding = json.find("pad_token_id"); padding != json.end() && padding->is_number_integer())
    spec.config.padding_id = padding->get<int64_t>();
  return std::make_unique<Decoder>(std::move(spec), json, head);
}

}  // namespace tsrun::model
