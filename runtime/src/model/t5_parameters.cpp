#include "model/parameter_list.h"
#include "model/t5.h"

#include <string>

namespace tsrun::model {
namespace {

const std::string self_attention = "layer.0.SelfAttention", cross_attention = "layer.1.EncDecAttention";

/// Appends the parameters of one T5; nothing in it has a bias.
class T5List {
 public:
  explicit T5List(const T5Config& config) : config_(config) {}

  void embeddings() {
    list_.start(Part::embeddings, -1, "");
    list_.embedding("shared", config_.vocabulary, config_.hidden);
  }
  void stack(Part part, int64_t first, int64_t layers) {
    for (int64_t layer = first; layer < first + layers; ++layer) {
      list_.start(part, static_cast<int>(layer), t5_layer_prefix(config_, layer));
      attention(self_attention);
      if (layer == first)
        list_.add(self_attention + ".relative_attention_bias", "weight", ParameterKind::embedding, {config_.buckets, config_.heads});
      norm("layer.0.layer_norm");
      if (part == Part::decoder) attention(cross_attention);
      if (part == Part::decoder) norm("layer.1.layer_norm");
      feed_forward(part == Part::decoder ? "layer.2." : "layer.1.");
    }
    list_.start(part, -1, part == Part::decoder ? "decoder." : "encoder.");
    norm("final_layer_norm");
  }
  void head(const HeadSpec& head) {
    if (head.kind != HeadKind::seq2seq_lm || config_.tied) return;
    list_.start(Part::head, -1, "");
    map("lm_head", config_.vocabulary, config_.hidden);
  }
  std::vector<ParameterInfo> take() { return list_.take(); }

 private:
  void map(const std::string& module, int64_t outputs, int64_t inputs) {
    list_.add(module, "weight", ParameterKind::weight, {outputs, inputs});
  }
  void norm(const std::string& module) { list_.add(module, "weight", ParameterKind::norm_weight, {config_.hidden}); }
  void attention(const std::string& module) {
    for (const char* leaf : {".q", ".k", ".v"}) map(module + leaf, config_.inner(), config_.hidden);
    map(module + ".o", config_.hidden, config_.inner());
  }
  void feed_forward(const std::string& place) {
    const std::string module = place + "DenseReluDense.";
    if (config_.gated) map(module + "wi_0", config_.intermediate, config_.hidden);
    map(module + (config_.gated ? "wi_1" : "wi"), config_.intermediate, config_.hidden);
    map(module + "wo", config_.hidden, config_.intermediate);
    norm(place + "layer_norm");
  }

  const T5Config& config_;
  ParameterList list_;
};

/// Appends the sites of one stack, in the order of the forward pass.
class T5Sites {
 public:
  T5Sites(const T5Config& config, Part stack) : config_(config), stack_(stack) {}

  std::vector<Site> all() {
    const bool decoder = stack_ == Part::decoder;
    sites_ = {{SiteKind::embeddings, -1, config_.hidden, "shared", stack_}};
    const int64_t first = decoder ? config_.encoder_layers : 0, end = decoder ? config_.layers() : config_.encoder_layers;
    for (int64_t layer = first; layer < end; ++layer) add_layer(layer);
    sites_.push_back({SiteKind::final_norm, -1, config_.hidden, decoder ? "decoder.final_layer_norm" : "encoder.final_layer_norm", stack_});
    return std::move(sites_);
  }

 private:
  void add(int64_t layer, SiteKind kind, int64_t width, const std::string& module) {
    sites_.push_back({kind, static_cast<int>(layer), width, t5_layer_prefix(config_, layer) + module, stack_});
  }
  void add_layer(int64_t layer) {
    const std::string last = stack_ == Part::decoder ? "layer.2." : "layer.1.";
    add(layer, SiteKind::attention_norm, config_.hidden, "layer.0.layer_norm");
    add(layer, SiteKind::query, config_.inner(), self_attention + ".q");
    add(layer, SiteKind::key, config_.inner(), self_attention + ".k");
    add(layer, SiteKind::value, config_.inner(), self_attention + ".v");
    add(layer, SiteKind::attention_output, config_.hidden, self_attention + ".o");
    if (stack_ == Part::decoder) add_cross(layer);
    add(layer, SiteKind::output_norm, config_.hidden, last + "layer_norm");
    add(layer, SiteKind::feed_forward_in, config_.intermediate, last + "DenseReluDense." + (config_.gated ? "wi_1" : "wi"));
    add(layer, SiteKind::feed_forward_out, config_.hidden, last + "DenseReluDense.wo");
  }
  void add_cross(int64_t layer) {
    add(layer, SiteKind::cross_attention_norm, config_.hidden, "layer.1.layer_norm");
    add(layer, SiteKind::cross_query, config_.inner(), cross_attention + ".q");
    add(layer, SiteKind::cross_key, config_.inner(), cross_attention + ".k");
    add(layer, SiteKind::cross_value, config_.inner(), cross_attention + ".v");
    add(layer, SiteKind::cross_attention_output, config_.hidden, cross_attention + ".o");
  }

  const T5Config& config_;
  Part stack_;
  std::vector<Site> sites_;
};

}  // namespace

std::string t5_layer_prefix(const T5Config& config, int64_t layer) {
  const bool encoder = layer < config.encoder_layers;
  return (encoder ? "encoder.block." : "decoder.block.") + std::to_string(encoder ? layer : layer - config.encoder_layers) + ".";
}

std::vector<ParameterInfo> t5_parameters(const T5Config& config, const HeadSpec& head) {
  T5List list(config);
  list.embeddings();
  list.stack(Part::encoder, 0, config.encoder_layers);
  list.stack(Part::decoder, config.encoder_layers, config.decoder_layers);
  list.head(head);
  return list.take();
}

std::vector<Site> t5_sites(const T5Config& config) {
  std::vector<Site> sites = T5Sites(config, Part::encoder).all();
  for (Site& site : T5Sites(config, Part::decoder).all()) sites.push_back(std::move(site));
  return sites;
}

}  // namespace tsrun::model
