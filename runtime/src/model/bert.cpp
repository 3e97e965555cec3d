// BERT (Devlin et al., 2019).
#include "model/encoder_config.h"
#include "model/families.h"

namespace tsrun::model {
namespace {

std::unique_ptr<Family> make_bert(const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  EncoderSpec spec;
  spec.model_type = "bert";
  spec.config = read_encoder_config(json, where);
  spec.names.base = "bert.";
  spec.names.layer = "bert.encoder.layer.{}.";
  spec.classes = {.first = "bert.pooler.dense", .second = "classifier", .first_part = Part::pooler};
  const std::string words = "cls.predictions.";
  const std::string bias = spec.config.tied ? "bias" : "decoder.bias";
  spec.words = {words + "transform.dense", words + "transform.LayerNorm", words + bias, words + "decoder", spec.config.activation};
  return make_encoder(std::move(spec), json, head, where);
}

std::string bert_architecture(HeadKind head) {
  if (head == HeadKind::none) return "BertModel";
  if (head == HeadKind::token_classification) return "BertForTokenClassification";
  return head == HeadKind::masked_lm ? "BertForMaskedLM" : "BertForSequenceClassification";
}

/// Fields of the first release's other files and of distilled models (TinyBERT); the computation reads none.
const std::vector<std::string> bert_inert = {
    "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head",
    "pooler_type",    "emb_size"};

}  // namespace

FamilyEntry bert_family() {
  return {"bert",
          make_bert,
          {"bert.",
           {"embeddings.", "encoder.", "pooler."},
           {"embeddings.position_ids", "embeddings.token_type_ids"},
           {"cls.", "classifier."},
           {"bert.embeddings.word_embeddings.weight",
            {},
            "cls.predictions.decoder.weight",
            "cls.predictions.bias",
            "cls.predictions.decoder.bias"}},
          bert_architecture,
          {names_of(EncoderFields()), bert_inert, {}, {}, sizes_of(EncoderFields())}};
}

}  // namespace tsrun::model
