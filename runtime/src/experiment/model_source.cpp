#include "tsrun/experiment/model_source.h"

#include "experiment/identity.h"
#include "experiment/peft.h"
#include "experiment/stored.h"
#include "experiment/task_model.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/suggest.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/model/finite.h"

namespace tsrun {

using nlohmann::json;

namespace fs = std::filesystem;

namespace experiment {
namespace {

/// The artifact of a training, by the beginning of its key.
fs::path training_folder(const fs::path& store, const std::string& prefix) {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(store / "objects" / "train", ignored))
    if (const auto key = entry.path().filename().string(); key.starts_with(prefix) && !key.starts_with('.')) found.push_back(key);
  if (found.empty()) user_error("{}: no training whose key begins with '{}'", (store / "objects" / "train").string(), prefix);
  if (found.size() > 1) user_error("train:{} is ambiguous: {}", prefix, join_words(found));
  return store / "objects" / "train" / found.front();
}

/// The model of a training, from artifact.json.
ModelRef model_of_training(const fs::path& file) {
  const json meta = read_json(file);
  try {
    if (meta.at("kind") != "train")
      data_error("{}: is of a {}, expected the artifact of a training", file.string(), meta.at("kind").dump());
    return ModelRef::from_json(meta.at("summary").at("model"));
  } catch (const json::exception& error) {
    data_error("{}: expected the artifact of a training, which names its model: {}", file.string(), error.what());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::internal) throw;
    data_error("{}: expected the artifact of a training, which names its model: {}", file.string(), error.what());
  }
}

ModelSource source_of_training(const fs::path& folder) {
  const ModelRef model = model_of_training(folder / "artifact.json");
  if (!fs::exists(folder / "last.safetensors")) data_error("{}: the training kept no weights; train with keep = \"last\"", folder.string());
  require_unchanged(model);
  return {model.folder(), folder / "last.safetensors", std::make_shared<const ModelRef>(model), model.spec};
}

void take_trained(Model& model, const fs::path& file) {
  const Weights trained = load_weights(file, *model.family);
  require_finite(trained, file.string());
  for (const auto& name : trained.names()) model.weights.set(name, trained.at(name));
  take_constants(file.parent_path(), model.weights);
}

/// Whether a delta of PEFT was saved of an encoder without a head.
bool of_bare_encoder(const DeltaRef& delta) { return delta.options.has("module_names") && delta.options.text("module_names") == "bare"; }

/// Refuses a model whose new parameters, drawn by `load_model`, were never replaced: its answers would be chance. The delta of an encoder
/// without a head is only warned of, since its user looks at hidden states.
void require_head(const Model& model, const Weights& loaded, const fs::path& folder, bool may_be_drawn) {
  std::vector<std::string> drawn;
  for (const auto& name : model.initialised) {
    if (model.weights.at(name).is_same(loaded.at(name))) drawn.push_back(name);
  }
  if (drawn.empty()) return;
  if (may_be_drawn)
    log_warning("{}: neither the checkpoint nor the delta has {}, which are drawn under the seed: the answers are chance", folder.string(),
                join_words(drawn));
  else
    data_error(
        "{}: the checkpoint lacks {}, without which answers would be chance; expected one whose head is trained (ts.train trains one)",
        folder.string(), join_words(drawn));
}

}  // namespace

}  // namespace experiment

ModelSource source_of(const LabSettings& settings, const std::string& model) {
  std::error_code ignored;
  if (model.starts_with("train:")) return experiment::source_of_training(experiment::training_folder(settings.store, model.substr(6)));
  if (fs::exists(fs::path(model) / "artifact.json", ignored) && !fs::exists(fs::path(model) / "config.json", ignored))
    return experiment::source_of_training(model);
  if (!model.starts_with("builtin:")) return {resolve_model_folder(model), std::nullopt, {}, model};
  Lab lab(settings);
  return {experiment::ModelRef::from_json(lab.call("model", {{"spec", model}})).folder(), std::nullopt, {}, model};
}

ModelKind model_kind_of(const ModelSource& source) {
  return make_family(CheckpointFolder::open(source.folder).config(), HeadSpec{}, (source.folder / "config.json").string())->model_kind();
}

Model load_source(const LabSettings& settings, const ModelSource& source, const HeadSpec& head, const std::optional<std::string>& delta,
                  MissingHead missing) {
  using namespace experiment;
  Model model = load_model(source.folder, head, Key::root(settings.seed).split("init"), source.name);
  require_finite(model.weights, source.folder.string());
  const Weights loaded = model.weights;
  std::vector<DeltaRef> deltas = source.model ? source.model->deltas : std::vector<DeltaRef>();
  bool bare = false;
  if (!deltas.empty() || delta) {
    const Lab lab(settings);
    if (delta) deltas.push_back(delta_of_peft(lab.plugins(), *delta));
    bare = delta && of_bare_encoder(deltas.back());
    attach_deltas(lab.plugins(), deltas, model, Key::root(0));
  }
  if (source.weights) take_trained(model, *source.weights);
  if (missing == MissingHead::refused) require_head(model, loaded, source.folder, bare);
  return model;
}

}  // namespace tsrun
