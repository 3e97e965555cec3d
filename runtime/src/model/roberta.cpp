// RoBERTa (Liu et al., 2019) and XLM-RoBERTa (Conneau et al., 2020), which differ in their vocabularies only.
#include "model/encoder_config.h"
#include "model/families.h"
#include "tsrun/base/error.h"

namespace tsrun::model {
namespace {

std::unique_ptr<Family> make_roberta_of(const std::string& model_type, const nlohmann::json& json, const HeadSpec& head,
                                        const std::string& where) {
  EncoderSpec spec;
  spec.model_type = model_type;
  spec.config = read_encoder_config(json, where);
  if (spec.config.padding_id < 0) spec.config.padding_id = 1;
  spec.config.first_position = spec.config.padding_id + 1;  // fairseq counts positions from there
  if (spec.config.positions() < 1) {
    data_error("{}: max_position_embeddings is {}, expected more than pad_token_id + 1 = {}", where, spec.config.table_rows,
               spec.config.first_position);
  }
  spec.names.base = "roberta.";
  spec.names.layer = "roberta.encoder.layer.{}.";
  spec.classes = {.first = "classifier.dense", .second = "classifier.out_proj", .dropout_before_first = true};
  const std::string bias = spec.config.tied ? "lm_head.bias" : "lm_head.decoder.bias";
  spec.words = {"lm_head.dense", "lm_head.layer_norm", bias, "lm_head.decoder", Activation::gelu};
  return make_encoder(std::move(spec), json, head, where);
}

std::unique_ptr<Family> make_roberta(const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  return make_roberta_of("roberta", json, head, where);
}

std::unique_ptr<Family> make_xlm_roberta(const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  return make_roberta_of("xlm-roberta", json, head, where);
}

std::string class_of(const std::string& stem, HeadKind head) {
  if (head == HeadKind::none) return stem + "Model";
  if (head == HeadKind::token_classification) return stem + "ForTokenClassification";
  return stem + (head == HeadKind::masked_lm ? "ForMaskedLM" : "ForSequenceClassification");
}

const NameRules roberta_names = {
    "roberta.",
    {"embeddings.", "encoder.", "pooler."},
    {"embeddings.position_ids", "embeddings.token_type_ids"},
    {"lm_head.", "classifier."},
    {"roberta.embeddings.word_embeddings.weight", {}, "lm_head.decoder.weight", "lm_head.bias", "lm_head.decoder.bias"}};

}  // namespace

FamilyEntry roberta_family() {
  return {"roberta",
          make_roberta,
          roberta_names,
          [](HeadKind head) { return class_of("Roberta", head); },
          {names_of(EncoderFields()), {}, {}, {}, sizes_of(EncoderFields())}};
}

FamilyEntry xlm_roberta_family() {
  return {"xlm-roberta",
          make_xlm_roberta,
          roberta_names,
          [](HeadKind head) { return class_of("XLMRoberta", head); },
          {names_of(EncoderFields()), {}, {}, {}, sizes_of(EncoderFields())}};
}

}  // namespace tsrun::model
