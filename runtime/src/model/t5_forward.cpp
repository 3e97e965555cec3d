// T5 over a packed batch, in the arithmetic of transformers' model.
#include "model/initial.h"
#include "model/pass_base.h"
#include "model/product.h"
#include "model/relative_places.h"
#include "model/rms_norm.h"
#include "model/t5.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/kernels.h"

#include <algorithm>
#include <cmath>

namespace tsrun::model {
namespace {

constexpr const char *bias_name = "(position bias)", *encoded_name = "(encoded)";
constexpr int64_t no_limit = int64_t{1} << 30;  // rows may be as long as one likes

std::string t5_words(const T5Config& config) { return config.tied ? "shared.weight" : "lm_head.weight"; }

at::Tensor scaled(const T5Config& config, const at::Tensor& states) {
  return config.scaled_scores ? states * (1 / std::sqrt(static_cast<double>(config.hidden))) : states;
}

class T5Pass : public PassBase {
 public:
  T5Pass(const T5Config& config, const FamilyFacts& facts, const Weights& weights, const PackedBatch& batch, const ForwardOptions& options)
      : PassBase(facts, weights, batch, options), config_(&config) {}

  Output run() {
    if (options_.from_layer > config_->encoder_layers && !(options_.encoded.defined() && options_.from_hidden.defined()))
      internal_error("a pass that starts at layer {} of the decoder needs its hidden states and the encoder's output", options_.from_layer);
    if (options_.to_layer > config_->encoder_layers)
      internal_error("a pass that stops at layer {} of the decoder; expected one of the encoder's {}", options_.to_layer,
                     config_->encoder_layers);
    encode();
    Output output;
    output.hidden = encoded_;
    if (options_.to_layer >= 0) return output;
    if (!batch_.decoder_ids.defined()) {
      if (head().kind != HeadKind::none) internal_error("an encoder-decoder's head needs the decoder's ids");
      return output;
    }
    decode(output);
    return output;
  }

 private:
  struct Sublayer {
    std::string place, attention;  ///< "layer.1.", "layer.1.EncDecAttention"
    int64_t first_site;
  };
  static constexpr int64_t encoder_sites_per_layer = 8, decoder_sites_per_layer = 13;

  bool in_decoder(int64_t layer) const { return layer >= config_->encoder_layers; }
  int64_t first_decoder_site() const { return 2 + config_->encoder_layers * encoder_sites_per_layer; }
  /// Index of the layer's first site; others follow in the order of t5_sites.
  int64_t site_of(int64_t layer) const {
    return in_decoder(layer) ? first_decoder_site() + 1 + (layer - config_->encoder_layers) * decoder_sites_per_layer
                             : 1 + layer * encoder_sites_per_layer;
  }
  std::string name(int64_t layer, const std::string& module) const { return t5_layer_prefix(*config_, layer) + module; }

  at::Tensor norm(const std::string& module, const at::Tensor& x) const {
    return rms_norm(x, weight(module + ".weight"), config_->norm_epsilon);
  }
  Key stack_key(std::string_view stack, std::string_view name) const {
    return options_.training ? options_.dropout.split(stack).split(name) : options_.dropout;
  }
  at::Tensor dropped(const at::Tensor& x, Key key) const { return dropout(x, rate(config_->dropout), key); }

  at::Tensor embeddings(const at::Tensor& words, std::string_view stack, int64_t site) const {
    return at_site(site, dropped(words, stack_key(stack, "embeddings")));
  }
  at::Tensor final_norm(const std::string& stack, const at::Tensor& x, int64_t site) const {
    return at_site(site, dropped(norm(stack + ".final_layer_norm", x), stack_key(stack, "final norm")));
  }

  void encode() {
    if (options_.encoded.defined() || (options_.cache && options_.cache->encoded.defined())) {
      encoded_ = options_.encoded.defined() ? options_.encoded : options_.cache->encoded;
      encoded_offsets_ = options_.cache && options_.cache->encoded.defined() ? options_.cache->encoded_offsets : batch_.host_offsets;
      return;
    }
    check_tokens(batch_.ids, batch_.host_offsets, config_->vocabulary);
    encoded_offsets_ = batch_.host_offsets;
    at::Tensor hidden = options_.from_hidden.defined() ? options_.from_hidden
                                                       : record(embeddings(word_rows("shared", "encoder.embed_tokens"), "encoder", 0));
    const at::Tensor bias = position_bias(0, batch_.host_offsets);
    for (int64_t layer = options_.from_layer; layer < config_->encoder_layers && !stops_at(layer); ++layer) {
      hidden = layer_output(layer, hidden, bias, {}, {});
      if (layer + 1 == config_->encoder_layers) hidden = final_norm("encoder", hidden, first_decoder_site() - 1);
      record(hidden);
    }
    encoded_ = hidden;
    if (!options_.cache) return;
    options_.cache->encoded = encoded_.detach();
    options_.cache->encoded_offsets = encoded_offsets_;
  }

  void decode(Output& output) {
    const std::vector<int64_t>& offsets = batch_.decoder_host_offsets;
    check_tokens(batch_.decoder_ids, offsets, config_->vocabulary);
    const bool inside = options_.from_layer > config_->encoder_layers;
    const int64_t first = inside ? options_.from_layer : config_->encoder_layers;
    const auto wanted = tokens_read(offsets, /*from_last=*/true);
    const bool last_rows_only = wanted && !watched() && first < config_->layers();
    at::Tensor hidden =
        inside ? options_.from_hidden
               : record(embeddings(rows_of("shared", batch_.decoder_ids, "decoder.embed_tokens"), "decoder", first_decoder_site()));
    const at::Tensor bias = position_bias(config_->encoder_layers, offsets);
    for (int64_t layer = first; layer < config_->layers(); ++layer) {
      const bool last = layer + 1 == config_->layers();
      const auto fewer = last && last_rows_only ? std::optional(token_subset(offsets, *wanted, hidden.device())) : std::nullopt;
      hidden = layer_output(layer, hidden, bias, encoded_, fewer);
      if (last) hidden = final_norm("decoder", hidden, static_cast<int64_t>(facts().sites.size()) - 1);
      record(hidden);
    }
    if (options_.cache) options_.cache->advance(offsets);
    output.hidden = last_rows_only ? at::Tensor() : hidden;
    if (head().kind != HeadKind::none) output.logits = logits(last_rows_only ? hidden : only(hidden, wanted));
    output.tokens = wanted;
  }

  at::Tensor logits(const at::Tensor& read) const {
    const at::Tensor x = scaled(*config_, read);
    return at_linear("lm_head", x, product(x, weight(t5_words(*config_)), {}, false, options_.precision));
  }

  /// The bias of the stack that begins at layer `first`, [heads, distances]; its distances are set for the stack's layers.
  at::Tensor position_bias(int64_t first, const std::vector<int64_t>& offsets) {
    const bool decoder = in_decoder(first);
    int64_t longest = 0, prefix = 0;
    for (size_t row = 0; row + 1 < offsets.size(); ++row) {
      const int64_t held = decoder && options_.cache ? options_.cache->lengths()[row] : 0;
      longest = std::max(longest, held + offsets[row + 1] - offsets[row]);
    }
    for (int64_t layer = first; layer < (decoder ? config_->layers() : config_->encoder_layers); ++layer)
      prefix = std::max(prefix, prefix_length(layer));
    (decoder ? decoder_first_distance_ : encoder_first_distance_) = -(prefix + longest - 1);
    const RelativePlaces places{config_->buckets, config_->max_distance, /*both_ways=*/!decoder};
    return places.bias(weight(name(first, "layer.0.SelfAttention.relative_attention_bias.weight")), -(prefix + longest - 1), longest - 1);
  }

  at::Tensor layer_output(int64_t layer, const at::Tensor& x, const at::Tensor& bias, const at::Tensor& encoded,
                          const std::optional<TokenSubset>& subset) const {
    if (!options_.gradient_checkpointing) return run_layer(layer, x, bias, encoded, subset);
    return recompute(layer, x, {{bias_name, bias}, {encoded_name, encoded}},
                     [pass = *this, layer, subset](const at::Tensor& again, const Weights& weights) {
                       T5Pass other = pass;
                       other.weights_ = &weights;
                       const at::Tensor* encoded_again = weights.find(encoded_name);
                       return other.run_layer(layer, again, weights.at(bias_name), encoded_again ? *encoded_again : at::Tensor(), subset);
                     });
  }

  /// One layer. A subset restricts queries and outputs; keys and values are of all tokens.
  at::Tensor run_layer(int64_t layer, const at::Tensor& x, const at::Tensor& bias, const at::Tensor& encoded,
                       const std::optional<TokenSubset>& subset) const {
    const int64_t site = site_of(layer);
    at::Tensor y = (subset ? x.index_select(0, subset->tokens) : x) + attend_to_itself(layer, x, bias, subset, site);
    if (!in_decoder(layer)) return y + feed_forward(layer, y, "layer.1.", site + 5);
    y = y + attend_to_encoded(layer, y, encoded, subset, site + 5);
    return y + feed_forward(layer, y, "layer.2.", site + 10);
  }

  at::Tensor attend_to_itself(int64_t layer, const at::Tensor& x, const at::Tensor& bias, const std::optional<TokenSubset>& subset,
                              int64_t site) const {
    const std::string module = name(layer, "layer.0.SelfAttention");
    const at::Tensor normed = at_site(site, norm(name(layer, "layer.0.layer_norm"), x));
    const at::Tensor seen = operand(normed, options_.precision);
    const at::Tensor queries = subset ? operand(normed.index_select(0, subset->tokens), options_.precision) : seen;
    AttentionOptions attention = attention_options(layer, "attention");
    attention.causal = in_decoder(layer);
    attention.distance_bias = bias;
    attention.first_distance = in_decoder(layer) ? decoder_first_distance_ : encoder_first_distance_;
    QueryKeyValue projected{at_site(site + 1, linear(module + ".q", queries, false)), at_site(site + 2, linear(module + ".k", seen, false)),
                            at_site(site + 3, linear(module + ".v", seen, false)), subset};
    const std::vector<int64_t>& offsets = in_decoder(layer) ? batch_.decoder_host_offsets : batch_.host_offsets;
    const at::Tensor out = linear(module + ".o", attend_within(layer, std::move(projected), offsets, attention), false);
    return dropped(at_site(site + 4, out), draw_key(layer, "attention output"));
  }

  at::Tensor attend_to_encoded(int64_t layer, const at::Tensor& x, const at::Tensor& encoded, const std::optional<TokenSubset>& subset,
                               int64_t site) const {
    const std::string module = name(layer, "layer.1.EncDecAttention");
    const at::Tensor normed = at_site(site, norm(name(layer, "layer.1.layer_norm"), x));
    const at::Tensor queries = at_site(site + 1, linear(module + ".q", normed, false));
    const auto [key, value] = crossed(layer, encoded, module, site);
    auto rows = std::make_shared<AttentionRows>();
    rows->query_offsets = subset ? subset->rows->query_offsets : batch_.decoder_host_offsets;
    if (subset) rows->query_positions = subset->rows->query_positions;
    rows->key_offsets = encoded_offsets_;
    const at::Tensor out =
        linear(module + ".o", attend(queries, key, value, std::move(rows), attention_options(layer, "cross attention")), false);
    return dropped(at_site(site + 4, out), draw_key(layer, "cross attention output"));
  }

  /// Keys and values of the encoder's output; a cache keeps them.
  std::pair<at::Tensor, at::Tensor> crossed(int64_t layer, const at::Tensor& encoded, const std::string& module, int64_t site) const {
    const auto make = [&] {
      const at::Tensor key = at_site(site + 2, linear(module + ".k", encoded, false));
      return std::pair(key, at_site(site + 3, linear(module + ".v", encoded, false)));
    };
    if (!options_.cache) return make();
    const auto held = options_.cache->crossed.find(static_cast<int>(layer));
    return held != options_.cache->crossed.end() ? held->second
                                                 : options_.cache->crossed.emplace(static_cast<int>(layer), make()).first->second;
  }

  AttentionOptions attention_options(int64_t layer, std::string_view draws) const {
    AttentionOptions attention;
    attention.heads = config_->heads;
    attention.scale = 1;
    attention.dropout = rate(config_->dropout);
    attention.key = draw_key(layer, draws);
    return attention;
  }

  at::Tensor feed_forward(int64_t layer, const at::Tensor& x, const std::string& place, int64_t site) const {
    const std::string module = name(layer, place + "DenseReluDense.");
    const at::Tensor normed = operand(at_site(site, norm(name(layer, place + "layer_norm"), x)), options_.precision);
    at::Tensor y = config_->gated
                       ? activate(config_->activation, linear(module + "wi_0", normed, false)) * linear(module + "wi_1", normed, false)
                       : activate(config_->activation, linear(module + "wi", normed, false));
    y = dropped(at_site(site + 1, y), draw_key(layer, "feed forward"));
    return dropped(at_site(site + 2, linear(module + "wo", y, false)), draw_key(layer, "output"));
  }

  const T5Config* config_;
  at::Tensor encoded_;
  std::vector<int64_t> encoded_offsets_;
  int64_t encoder_first_distance_ = 0, decoder_first_distance_ = 0;
};

class T5 : public FamilyBase {
 public:
  T5(const T5Config& config, FamilyFacts facts) : FamilyBase(std::move(facts)), config_(config) {}

  ModelKind model_kind() const override { return ModelKind::encoder_decoder; }
  int64_t decoder_start() const override { return config_.decoder_start; }
  Output forward(const Weights& weights, const PackedBatch& batch, const ForwardOptions& options) const override {
    return T5Pass(config_, facts_, weights, batch, options).run();
  }
  std::string label_matrix() const override { return head().kind == HeadKind::seq2seq_lm ? t5_words(config_) : ""; }
  at::Tensor read_out(const Weights& weights, const at::Tensor& states, bool normed) const override {
    const at::Tensor& gain = weights.at("decoder.final_layer_norm.weight");
    return scaled(config_, normed ? states : rms_norm(states, gain, config_.norm_epsilon));
  }
  at::Tensor initial(const ParameterInfo& parameter, Key key) const override {
    return initial_values(parameter, config_.initializer_factor * deviation(parameter), key);
  }

 private:
  /// Deviation as in Mesh TensorFlow; that of queries makes scores of unit size without a scale.
  double deviation(const ParameterInfo& parameter) const {
    const auto root = [](int64_t width) { return 1 / std::sqrt(static_cast<double>(width)); };
    const std::string& module = parameter.module;
    if (module == "shared" || module == "lm_head") return 1;
    if (module.ends_with(".q")) return root(config_.hidden * config_.head_size);
    if (module.ends_with(".o")) return root(config_.inner());
    return root(module.ends_with(".wo") ? config_.intermediate : config_.hidden);
  }

  T5Config config_;
};

}  // namespace

std::unique_ptr<Family> make_t5_family(const T5Config& config, const nlohmann::json& json, const HeadSpec& head) {
  return std::make_unique<T5>(
      config, FamilyFacts{"t5", json, head, config.layers(), config.hidden, no_limit, t5_parameters(config, head), t5_sites(config)});
}

}  // namespace tsrun::model
