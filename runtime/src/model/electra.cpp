// ELECTRA (Clark et al., 2020): the discriminator, whose head tells replaced tokens, and the generator, whose head predicts words.
#include "model/encoder_config.h"
#include "model/families.h"

namespace tsrun::model {
namespace {

std::unique_ptr<Family> make_electra(const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  EncoderSpec spec;
  spec.model_type = "electra";
  spec.config = read_encoder_config(json, where);
  spec.config.embedding = ConfigReader(json, where).integer("embedding_size", 1, int64_t{1} << 16, 128);
  spec.names.base = "electra.";
  spec.names.layer = "electra.encoder.layer.{}.";
  spec.names.projection = "embeddings_project";
  spec.classes = {
      .first = "classifier.dense", .second = "classifier.out_proj", .between = ClassHead::Between::gelu, .dropout_before_first = true};
  spec.words = {"generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias", "generator_lm_head",
                Activation::gelu};
  spec.replaced = {"discriminator_predictions.dense", "discriminator_predictions.dense_prediction"};
  return make_encoder(std::move(spec), json, head, where);
}

std::string electra_architecture(HeadKind head) {
  switch (head) {
    case HeadKind::none:
      return "ElectraModel";
    case HeadKind::masked_lm:
      return "ElectraForMaskedLM";
    case HeadKind::replaced_token:
      return "ElectraForPreTraining";
    case HeadKind::token_classification:
      return "ElectraForTokenClassification";
    case HeadKind::classification:
    case HeadKind::regression:
    case HeadKind::causal_lm:
    case HeadKind::seq2seq_lm:
      break;
  }
  return "ElectraForSequenceClassification";
}

}  // namespace

FamilyEntry electra_family() {
  std::vector<std::string> read = names_of(EncoderFields());
  read.push_back("embedding_size");
  // The summary is the multiple-choice head's.
  return {"electra",
          make_electra,
          {"electra.",
           {"embeddings.", "embeddings_project.", "encoder."},
           {"embeddings.position_ids", "embeddings.token_type_ids"},
           {"discriminator_predictions.", "generator_predictions.", "generator_lm_head.", "classifier."},
           {"electra.embeddings.word_embeddings.weight", {}, "generator_lm_head.weight", "", ""}},
          electra_architecture,
          {read, {"summary_type", "summary_use_proj", "summary_activation", "summary_last_dropout"}, {}, {}, sizes_of(EncoderFields())}};
}

}  // namespace tsrun::model
