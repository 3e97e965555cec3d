#include "model/encoder.h"
#include "model/parameter_list.h"

#include <string>

namespace tsrun::model {
namespace {

void add_embeddings(ParameterList& list, const EncoderSpec& spec) {
  const EncoderConfig& config = spec.config;
  list.start(Part::embeddings, -1, spec.names.base + "embeddings.");
  list.embedding("word_embeddings", config.vocabulary, config.embedding);
  list.embedding("position_embeddings", config.table_rows, config.embedding);
  if (config.segments > 0) list.embedding("token_type_embeddings", config.segments, config.embedding);
  list.norm("LayerNorm", config.embedding);
  if (config.embedding == config.hidden) return;
  list.start(Part::embeddings, -1, spec.names.base);
  list.linear(spec.names.projection, config.hidden, config.embedding);
}

void add_layer(ParameterList& list, const EncoderSpec& spec, int64_t layer) {
  const EncoderConfig& config = spec.config;
  const EncoderNames& names = spec.names;
  list.start(Part::encoder, static_cast<int>(layer), names.layer_prefix(layer));
  for (const std::string* module : {&names.query, &names.key, &names.value, &names.attention_output}) {
    list.linear(*module, config.hidden, config.hidden);
  }
  list.norm(names.attention_norm, config.hidden);
  list.linear(names.feed_forward_in, config.intermediate, config.hidden);
  list.linear(names.feed_forward_out, config.hidden, config.intermediate);
  list.norm(names.output_norm, config.hidden);
}

/// "bert.pooler.dense" -> {"bert.pooler.", "dense"}: the last word is the module within its part.
std::pair<std::string, std::string> parted(const std::string& name) {
  const size_t dot = name.rfind('.');
  return dot == name.npos ? std::pair{std::string(), name} : std::pair{name.substr(0, dot + 1), name.substr(dot + 1)};
}

void add_pooler(ParameterList& list, const EncoderSpec& spec) {
  const auto [prefix, module] = parted(spec.classes.first);
  list.start(spec.classes.first_part, -1, prefix);
  list.linear(module, spec.config.hidden, spec.config.hidden);
}

void add_head(ParameterList& list, const EncoderSpec& spec, const HeadSpec& head) {
  const EncoderConfig& config = spec.config;
  list.start(Part::head, -1, "");
  switch (head.kind) {
    case HeadKind::none:
    case HeadKind::causal_lm:
    case HeadKind::seq2seq_lm:
      return;
    case HeadKind::token_classification:
      list.linear(spec.tags.module, head.outputs, config.hidden);
      return;
    case HeadKind::classification:
    case HeadKind::regression:
      if (spec.classes.first_part == Part::head) list.linear(spec.classes.first, config.hidden, config.hidden);
      list.linear(spec.classes.second, head.outputs, config.hidden);
      return;
    case HeadKind::masked_lm: {
      const auto [prefix, leaf] = parted(spec.words->bias);
      list.start(Part::head, -1, prefix);
      list.add("", leaf, ParameterKind::bias, {config.vocabulary});
      list.start(Part::head, -1, "");
      list.linear(spec.words->dense, config.embedding, config.hidden);
      list.norm(spec.words->norm, config.embedding);
      if (!config.tied) list.add(spec.words->scores, "weight", ParameterKind::weight, {config.vocabulary, config.embedding});
      return;
    }
    case HeadKind::replaced_token:
      list.linear(spec.replaced->dense, config.hidden, config.hidden);
      list.linear(spec.replaced->prediction, 1, config.hidden);
      return;
  }
}

}  // namespace

std::string EncoderNames::layer_prefix(int64_t number) const {
  std::string prefix = layer;  // called for every linear layer of every pass: no formatting
  return prefix.replace(prefix.find("{}"), 2, std::to_string(number));
}

std::vector<ParameterInfo> encoder_parameters(const EncoderSpec& spec, const HeadSpec& head) {
  ParameterList list;
  add_embeddings(list, spec);
  for (int64_t layer = 0; layer < spec.config.layers; ++layer) add_layer(list, spec, layer);
  const bool per_row = head.kind == HeadKind::none || head.kind == HeadKind::classification || head.kind == HeadKind::regression;
  if (spec.classes.first_part == Part::pooler && per_row) add_pooler(list, spec);
  add_head(list, spec, head);
  return list.take();
}

std::vector<Site> encoder_sites(const EncoderSpec& spec) {
  const int64_t hidden = spec.config.hidden;
  const EncoderNames& names = spec.names;
  const bool projected = spec.config.embedding != hidden;
  std::vector<Site> sites = {{SiteKind::embeddings, -1, hidden, names.base + (projected ? names.projection : "embeddings.LayerNorm")}};
  for (int64_t layer = 0; layer < spec.config.layers; ++layer) {
    const auto add = [&](SiteKind kind, int64_t width, const std::string& module) {
      sites.push_back({kind, static_cast<int>(layer), width, names.layer_prefix(layer) + module});
    };
    add(SiteKind::query, hidden, names.query);
    add(SiteKind::key, hidden, names.key);
    add(SiteKind::value, hidden, names.value);
    add(SiteKind::attention_output, hidden, names.attention_output);
    add(SiteKind::attention_norm, hidden, names.attention_norm);
    add(SiteKind::feed_forward_in, spec.config.intermediate, names.feed_forward_in);
    add(SiteKind::feed_forward_out, hidden, names.feed_forward_out);
    add(SiteKind::output_norm, hidden, names.output_norm);
  }
  return sites;
}

}  // namespace tsrun::model
