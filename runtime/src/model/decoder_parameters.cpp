#include "model/decoder.h"
#include "model/parameter_list.h"

#include <string>

namespace tsrun::model {
namespace {

/// Appends the parameters of one decoder.
class DecoderList {
 public:
  explicit DecoderList(const DecoderSpec& spec) : config_(spec.config), names_(spec.names) {}

  void embeddings() {
    list_.start(Part::embeddings, -1, names_.base);
    list_.embedding(names_.words, config_.vocabulary, config_.hidden);
    if (!config_.rotary) list_.embedding(names_.places, config_.positions, config_.hidden);
  }

  void layer(int64_t number) {
    const int64_t hidden = config_.hidden, query = config_.heads * config_.head_size, key = config_.key_heads * config_.head_size;
    list_.start(Part::encoder, static_cast<int>(number), names_.layer_prefix(number));
    norm(names_.attention_norm);
    if (!names_.query_key_value.empty()) {
      map(names_.query_key_value, query + 2 * key, hidden, config_.attention_bias);
    } else {
      map(names_.query, query, hidden, config_.attention_bias);
      map(names_.key, key, hidden, config_.attention_bias);
      map(names_.value, key, hidden, config_.attention_bias);
    }
    map(names_.attention_output, hidden, query, config_.output_bias);
    norm(names_.feed_forward_norm);
    if (!names_.gate.empty()) map(names_.gate, config_.intermediate, hidden, config_.feed_forward_bias);
    map(names_.feed_forward_in, config_.intermediate, hidden, config_.feed_forward_bias);
    map(names_.feed_forward_out, hidden, config_.intermediate, config_.feed_forward_bias);
  }

  void final_norm() {
    list_.start(Part::encoder, -1, names_.base);
    norm(names_.final_norm);
  }

  void head(const HeadSpec& head) {
    list_.start(Part::head, -1, "");
    if (head.kind == HeadKind::classification || head.kind == HeadKind::regression)
      list_.add("score", "weight", ParameterKind::weight, {head.outputs, config_.hidden});
    if (head.kind == HeadKind::token_classification) list_.linear(names_.tags, head.outputs, config_.hidden);
    if (head.kind == HeadKind::causal_lm && !config_.tied)
      list_.add("lm_head", "weight", ParameterKind::weight, {config_.vocabulary, config_.hidden});
  }

  std::vector<ParameterInfo> take() { return list_.take(); }

 private:
  void norm(const std::string& module) {
    if (!config_.root_mean_square) return list_.norm(module, config_.hidden);
    list_.add(module, "weight", ParameterKind::norm_weight, {config_.hidden});
  }
  void map(const std::string& module, int64_t outputs, int64_t inputs, bool bias) {
    const std::vector<int64_t> shape = config_.transposed ? std::vector{inputs, outputs} : std::vector{outputs, inputs};
    list_.add(module, "weight", ParameterKind::weight, shape, config_.transposed);
    if (bias) list_.add(module, "bias", ParameterKind::bias, {outputs});
  }

  const DecoderConfig& config_;
  const DecoderNames& names_;
  ParameterList list_;
};

}  // namespace

std::string DecoderNames::layer_prefix(int64_t number) const {
  std::string prefix = layer;  // called for every linear layer of every pass: no formatting
  return prefix.replace(prefix.find("{}"), 2, std::to_string(number));
}

std::vector<ParameterInfo> decoder_parameters(const DecoderSpec& spec, const HeadSpec& head) {
  DecoderList list(spec);
  list.embeddings();
  for (int64_t layer = 0; layer < spec.config.layers; ++layer) list.layer(layer);
  list.final_norm();
  list.head(head);
  return list.take();
}

std::vector<Site> decoder_sites(const DecoderSpec& spec) {
  const DecoderConfig& config = spec.config;
  const DecoderNames& names = spec.names;
  const int64_t query = config.heads * config.head_size, key = config.key_heads * config.head_size;
  const bool fused = !names.query_key_value.empty();
  std::vector<Site> sites = {{SiteKind::embeddings, -1, config.hidden, names.base + names.words}};
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto add = [&](SiteKind kind, int64_t width, const std::string& module) {
      sites.push_back({kind, static_cast<int>(layer), width, names.layer_prefix(layer) + module});
    };
    add(SiteKind::attention_norm, config.hidden, names.attention_norm);
    add(SiteKind::query, query, fused ? names.query_key_value : names.query);
    add(SiteKind::key, key, fused ? names.query_key_value : names.key);
    add(SiteKind::value, key, fused ? names.query_key_value : names.value);
    add(SiteKind::attention_output, config.hidden, names.attention_output);
    add(SiteKind::output_norm, config.hidden, names.feed_forward_norm);
    add(SiteKind::feed_forward_in, config.intermediate, names.feed_forward_in);
    add(SiteKind::feed_forward_out, config.hidden, names.feed_forward_out);
  }
  sites.push_back({SiteKind::final_norm, -1, config.hidden, names.base + names.final_norm});
  return sites;
}

}  // namespace tsrun::model
