#include "model/families.h"
#include "tsrun/base/files.h"
#include "tsrun/model/model.h"

namespace tsrun {
namespace {

/// config.json as transformers expects it for this head: the class to load with, and the number of outputs as its label table.
nlohmann::json saved_config(const Family& family) {
  nlohmann::json config = family.config();
  const HeadSpec& head = family.head();
  config["architectures"] = {family_entry(family.model_type()).architecture(head.kind)};
  if (head.outputs == 0 || head.kind == HeadKind::replaced_token) return config;
  const bool labelled = config.contains("id2label") && config["id2label"].is_object();
  if (!labelled || static_cast<int64_t>(config["id2label"].size()) != head.outputs) {
    nlohmann::json names = nlohmann::json::object(), numbers = nlohmann::json::object();
    for (int64_t i = 0; i < head.outputs; ++i) {
      const std::string name = "LABEL_" + std::to_string(i);
      names[std::to_string(i)] = name;
      numbers[name] = i;
    }
    config["id2label"] = names;
    config["label2id"] = numbers;
    config.erase("num_labels");
  }
  if (head.kind == HeadKind::token_classification) return config;
  config["problem_type"] = head.kind == HeadKind::regression ? "regression" : "single_label_classification";
  return config;
}

}  // namespace

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
  write_durable(folder / "config.json", saved_config(*model.family).dump(2) + "\n");
  save_weights(model.weights, folder / "model.safetensors");
  if (model.tokenizer) model.tokenizer->save(folder);
}

}  // namespace tsrun
