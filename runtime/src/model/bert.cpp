// BERT (Devlin et al., 2019).
#include "model/encoder_config.h"
#include "model/families.h"

namespace tsrun {
namespace {

std::unique_ptr<Family> make_bert(const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  EncoderSpec spec;
  spec.model_type = "bert";
  spec.config = read_encoder_config(json, where);
  spec.names.base = "bert.";
  spec.names.layer = "bert.encoder.layer.{}.";
  spec.classes = {.first = "bert.pooler.dense", .second = "classifier", .first_part = Part::pooler};
  const std::string words = "cls.predictions.";
  spec.words = {words + "transform.dense", words + "transform.LayerNorm", words + "bias", spec.config.activation};
  return make_encoder(std::move(spec), json, head, where);
}

std::string bert_architecture(HeadKind head) {
  if (head == HeadKind::none) return "BertModel";
  if (head == HeadKind::token_classification) return "BertForTokenClassification";
  return head == HeadKind::masked_lm ? "BertForMaskedLM" : "BertForSequenceClassification";
}

}  // namespace

FamilyEntry bert_family() {
  return {
      "bert",
      make_bert,
      {"bert.", {"embeddings.", "encoder.", "pooler."}, {"embeddings.position_ids", "embeddings.token_type_ids"}, {"cls.", "classifier."}},
      bert_architecture};
}

}  // namespace tsrun
