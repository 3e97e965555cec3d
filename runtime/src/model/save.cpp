#include "model/families.h"
#include "tsrun/base/files.h"
#include "tsrun/model/model.h"

namespace tsrun {
namespace model {
namespace {

/// The names of a head's outputs: those of the task, else those of config.json, else the reference's.
std::vector<std::string> output_names(const nlohmann::json& config, int64_t outputs, const std::vector<std::string>& labels) {
  if (static_cast<int64_t>(labels.size()) == outputs) return labels;
  std::vector<std::string> names = label_names(config);
  if (static_cast<int64_t>(names.size()) == outputs) return names;
  names.clear();
  for (int64_t i = 0; i < outputs; ++i) names.push_back("LABEL_" + std::to_string(i));
  return names;
}

void write_labels(nlohmann::json& config, const std::vector<std::string>& names) {
  config["id2label"] = config["label2id"] = nlohmann::json::object();
  for (size_t i = 0; i < names.size(); ++i) {
    config["id2label"][std::to_string(i)] = names[i];
    config["label2id"][names[i]] = i;
  }
  config.erase("num_labels");
}

/// config.json as transformers expects it for this head: the class to load with, and the names of the outputs.
nlohmann::json saved_config(const Family& family, const std::vector<std::string>& labels) {
  nlohmann::json config = family.config();
  const HeadSpec& head = family.head();
  config["architectures"] = {family_entry(family.model_type()).architecture(head.kind)};
  if (head.outputs == 0 || head.kind == HeadKind::replaced_token) return config;
  write_labels(config, output_names(config, head.outputs, labels));
  if (head.kind == HeadKind::token_classification) return config;
  config["problem_type"] = head.kind == HeadKind::regression ? "regression" : "single_label_classification";
  return config;
}

}  // namespace

}  // namespace model

std::vector<std::string> label_names(const nlohmann::json& config) {
  const auto table = config.find("id2label");
  std::vector<std::string> names;
  if (table == config.end() || !table->is_object()) return names;
  for (size_t i = 0; i < table->size(); ++i) {
    const auto name = table->find(std::to_string(i));
    if (name == table->end()) return {};
    names.push_back(name->is_string() ? name->get<std::string>() : name->dump());
  }
  return names;
}

void save_weights(const Weights& weights, const std::filesystem::path& file) {
  std::vector<at::Tensor> kept;  // the spans point into these
  std::vector<TensorInfo> tensors;
  for (const std::string& name : weights.names()) {
    kept.push_back(weights.at(name).detach().cpu().contiguous());
    tensors.push_back(as_info(name, kept.back()));
  }
  write_safetensors(file, tensors, {{"format", "pt"}});
}

void save_model(const Model& model, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  write_durable(folder / "config.json", model::saved_config(*model.family, model.labels).dump(2) + "\n");
  if (model.generation.own_file) write_durable(folder / "generation_config.json", model.generation.fields.dump(2) + "\n");
  save_weights(model.weights, folder / "model.safetensors");
  if (model.tokenizer) model.tokenizer->save(folder);
}

}  // namespace tsrun
