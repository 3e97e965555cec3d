// DistilBERT (Sanh et al., 2019): BERT's layers under other names, without segments and pooler.
#include "model/encoder_config.h"
#include "model/families.h"

namespace tsrun::model {
namespace {

EncoderFields distilbert_fields() {
  EncoderFields fields;
  fields.hidden = "dim";
  fields.layers = "n_layers";
  fields.heads = "n_heads";
  fields.intermediate = "hidden_dim";
  fields.segments = "";
  fields.activation = "activation";
  fields.norm_epsilon = "";  // 1e-12, fixed
  fields.hidden_dropout = "dropout";
  fields.attention_dropout = "attention_dropout";
  fields.classifier_dropout = "seq_classif_dropout";
  fields.default_classifier_dropout = 0.2;
  return fields;
}

std::unique_ptr<Family> make_distilbert(const nlohmann::json& json, const HeadSpec& head, const std::string& where) {
  EncoderSpec spec;
  spec.model_type = "distilbert";
  spec.config = read_encoder_config(json, where, distilbert_fields());
  spec.config.output_dropout = 0;
  spec.names.base = "distilbert.";
  spec.names.layer = "distilbert.transformer.layer.{}.";
  spec.names.query = "attention.q_lin";
  spec.names.key = "attention.k_lin";
  spec.names.value = "attention.v_lin";
  spec.names.attention_output = "attention.out_lin";
  spec.names.attention_norm = "sa_layer_norm";
  spec.names.feed_forward_in = "ffn.lin1";
  spec.names.feed_forward_out = "ffn.lin2";
  spec.names.output_norm = "output_layer_norm";
  spec.classes = {.first = "pre_classifier", .second = "classifier", .between = ClassHead::Between::relu};
  spec.tags.dropout = spec.config.hidden_dropout;
  spec.words = {"vocab_transform", "vocab_layer_norm", "vocab_projector.bias", "vocab_projector", spec.config.activation};
  return make_encoder(std::move(spec), json, head, where);
}

std::string distilbert_architecture(HeadKind head) {
  if (head == HeadKind::none) return "DistilBertModel";
  if (head == HeadKind::token_classification) return "DistilBertForTokenClassification";
  return head == HeadKind::masked_lm ? "DistilBertForMaskedLM" : "DistilBertForSequenceClassification";
}

}  // namespace

FamilyEntry distilbert_family() {
  return {"distilbert",
          make_distilbert,
          {"distilbert.",
           {"embeddings.", "transformer."},
           {"embeddings.position_ids"},
           {"pre_classifier.", "classifier.", "vocab_"},
           {"distilbert.embeddings.word_embeddings.weight", {}, "vocab_projector.weight", "", ""}},
          distilbert_architecture,
          // Sinusoids are what the position embeddings start as; a checkpoint has their values.
          {names_of(distilbert_fields()),
           {"qa_dropout", "sinusoidal_pos_embds", "tie_weights_"},
           {},
           {{"hidden_size", "dim"}, {"num_attention_heads", "n_heads"}, {"num_hidden_layers", "n_layers"}},
           sizes_of(distilbert_fields())}};
}

}  // namespace tsrun::model
