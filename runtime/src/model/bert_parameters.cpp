#include "model/bert_parameters.h"

#include <fmt/format.h>

namespace tsrun {
namespace {

/// Appends parameters that share a part and a layer.
class ParameterList {
 public:
  void start(Part part, int layer, std::string prefix) {
    part_ = part;
    layer_ = layer;
    prefix_ = std::move(prefix);
  }
  void add(const std::string& module, const std::string& leaf, ParameterKind kind, std::vector<int64_t> shape) {
    const std::string name = prefix_ + (module.empty() ? leaf : module + "." + leaf);
    list.push_back({name, std::move(shape), part_, layer_, kind, module});
  }
  void linear(const std::string& module, int64_t outputs, int64_t inputs) {
    add(module, "weight", ParameterKind::weight, {outputs, inputs});
    add(module, "bias", ParameterKind::bias, {outputs});
  }
  void norm(const std::string& module, int64_t width) {
    add(module, "weight", ParameterKind::norm_weight, {width});
    add(module, "bias", ParameterKind::norm_bias, {width});
  }
  void embedding(const std::string& module, int64_t rows, int64_t width) { add(module, "weight", ParameterKind::embedding, {rows, width}); }

  std::vector<ParameterInfo> list;

 private:
  Part part_ = Part::encoder;
  int layer_ = -1;
  std::string prefix_;
};

void add_embeddings(ParameterList& list, const BertConfig& config) {
  list.start(Part::embeddings, -1, "bert.embeddings.");
  list.embedding("word_embeddings", config.vocabulary, config.hidden);
  list.embedding("position_embeddings", config.positions, config.hidden);
  list.embedding("token_type_embeddings", config.segments, config.hidden);
  list.norm("LayerNorm", config.hidden);
}

void add_layer(ParameterList& list, const BertConfig& config, int64_t layer) {
  list.start(Part::encoder, static_cast<int>(layer), bert_layer(layer));
  for (const char* module : {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"}) {
    list.linear(module, config.hidden, config.hidden);
  }
  list.norm("attention.output.LayerNorm", config.hidden);
  list.linear("intermediate.dense", config.intermediate, config.hidden);
  list.linear("output.dense", config.hidden, config.intermediate);
  list.norm("output.LayerNorm", config.hidden);
}

void add_head(ParameterList& list, const BertConfig& config, const HeadSpec& head) {
  if (head.kind != HeadKind::masked_lm) {
    list.start(Part::pooler, -1, "bert.pooler.");
    list.linear("dense", config.hidden, config.hidden);
  }
  if (head.kind == HeadKind::none) return;
  if (head.kind != HeadKind::masked_lm) {
    list.start(Part::head, -1, "");
    list.linear("classifier", head.outputs, config.hidden);
    return;
  }
  list.start(Part::head, -1, "cls.predictions.");
  list.add("", "bias", ParameterKind::bias, {config.vocabulary});
  list.linear("transform.dense", config.hidden, config.hidden);
  list.norm("transform.LayerNorm", config.hidden);
}

}  // namespace

std::string bert_layer(int64_t layer) { return fmt::format("bert.encoder.layer.{}.", layer); }

std::vector<ParameterInfo> bert_parameters(const BertConfig& config, const HeadSpec& head) {
  ParameterList list;
  add_embeddings(list, config);
  for (int64_t layer = 0; layer < config.layers; ++layer) add_layer(list, config, layer);
  add_head(list, config, head);
  return std::move(list.list);
}

std::vector<Site> bert_sites(const BertConfig& config) {
  std::vector<Site> sites = {{SiteKind::embeddings, -1, config.hidden, "bert.embeddings.LayerNorm"}};
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const auto add = [&](SiteKind kind, int64_t width, const char* module) {
      sites.push_back({kind, static_cast<int>(layer), width, bert_layer(layer) + module});
    };
    add(SiteKind::query, config.hidden, "attention.self.query");
    add(SiteKind::key, config.hidden, "attention.self.key");
    add(SiteKind::value, config.hidden, "attention.self.value");
    add(SiteKind::attention_output, config.hidden, "attention.output.dense");
    add(SiteKind::attention_norm, config.hidden, "attention.output.LayerNorm");
    add(SiteKind::feed_forward_in, config.intermediate, "intermediate.dense");
    add(SiteKind::feed_forward_out, config.hidden, "output.dense");
    add(SiteKind::output_norm, config.hidden, "output.LayerNorm");
  }
  return sites;
}

}  // namespace tsrun
