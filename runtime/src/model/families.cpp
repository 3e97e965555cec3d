#include "model/families.h"

#include "model/config_reader.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

namespace tsrun {

namespace model {

const std::vector<FamilyEntry>& family_entries() {
  static const std::vector<FamilyEntry> entries = {awd_lstm_family(), bert_family(),  distilbert_family(), electra_family(),
                                                   gpt2_family(),     llama_family(), mistral_family(),    qwen2_family(),
                                                   roberta_family(),  t5_family(),    xlm_roberta_family()};
  return entries;
}

const FamilyEntry& family_entry(std::string_view model_type) {
  for (const FamilyEntry& entry : family_entries()) {
    if (entry.model_type == model_type) return entry;
  }
  internal_error("no family '{}'", model_type);
}

const FamilyEntry& entry_of(const nlohmann::json& config, const std::string& where) {
  const ConfigReader reader(config, where);
  const std::string model_type = reader.text("model_type");
  std::vector<std::string> known;
  for (const FamilyEntry& entry : family_entries()) {
    if (entry.model_type == model_type) return entry;
    known.push_back(entry.model_type);
  }
  data_error("{}: model_type is '{}', expected {}{}", where, model_type, join_words(known), did_you_mean(model_type, known));
}

}  // namespace model

std::unique_ptr<Family> make_family(const nlohmann::json& config, const HeadSpec& head, const std::string& where) {
  const model::FamilyEntry& entry = model::entry_of(config, where);
  const nlohmann::json plain = model::without_aliases(config, entry.fields, where);
  std::unique_ptr<Family> family = entry.make(plain, head, where);  // a field that is missing comes before its misspelling
  model::check_fields(plain, entry.fields, where);
  const bool judges_rows = head.kind == HeadKind::classification || head.kind == HeadKind::regression;
  if (judges_rows && config.value("problem_type", nlohmann::json()) == "multi_label_classification")
    data_error(
        "{}: field 'problem_type' is \"multi_label_classification\", expected \"single_label_classification\" or \"regression\": a row has "
        "one label",
        where);
  return family;
}

std::string_view name_of(HeadKind kind) {
  switch (kind) {
    case HeadKind::none:
      return "none";
    case HeadKind::classification:
      return "classification";
    case HeadKind::regression:
      return "regression";
    case HeadKind::token_classification:
      return "token_classification";
    case HeadKind::masked_lm:
      return "masked_lm";
    case HeadKind::causal_lm:
      return "causal_lm";
    case HeadKind::seq2seq_lm:
      return "seq2seq_lm";
    case HeadKind::replaced_token:
      return "replaced_token";
  }
  internal_error("head kind {} has no name", static_cast<int>(kind));
}

std::string_view name_of(SiteKind kind) {
  switch (kind) {
    case SiteKind::embeddings:
      return "embeddings";
    case SiteKind::query:
      return "query";
    case SiteKind::key:
      return "key";
    case SiteKind::value:
      return "value";
    case SiteKind::attention_output:
      return "attention_output";
    case SiteKind::feed_forward_in:
      return "feed_forward_in";
    case SiteKind::feed_forward_out:
      return "feed_forward_out";
    case SiteKind::attention_norm:
      return "attention_norm";
    case SiteKind::output_norm:
      return "output_norm";
    case SiteKind::final_norm:
      return "final_norm";
    case SiteKind::recurrent_output:
      return "recurrent_output";
    case SiteKind::cross_query:
      return "cross_query";
    case SiteKind::cross_key:
      return "cross_key";
    case SiteKind::cross_value:
      return "cross_value";
    case SiteKind::cross_attention_output:
      return "cross_attention_output";
    case SiteKind::cross_attention_norm:
      return "cross_attention_norm";
  }
  internal_error("site kind {} has no name", static_cast<int>(kind));
}

}  // namespace tsrun
