#include "model/match_weights.h"
#include "model/rotary.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/suggest.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/model/model.h"

namespace tsrun {
namespace model {
namespace {

void initialise_missing(Model& model, const std::vector<std::string>& missing, const std::string& where, Key key) {
  Weights complete;
  for (const ParameterInfo& parameter : model.family->parameters()) {
    const at::Tensor* loaded = model.weights.find(parameter.name);
    complete.set(parameter.name, loaded ? *loaded : model.family->initial(parameter, key.split(parameter.name)));
  }
  model.weights = std::move(complete);
  model.initialised = missing;
  if (!missing.empty()) log_info("{}: not in the checkpoint, initialised: {}", where, join_words(missing));
}

/// Of a folder's model: names that config.json ties but whose stored values differ are parameters of their own.
std::unique_ptr<Family> stored_family(const nlohmann::json& config, const std::vector<TensorInfo>& tensors, const HeadSpec& head,
                                      const std::filesystem::path& folder) {
  const std::string where = (folder / "config.json").string();
  if (!scores_words(head.kind)) return make_family(config, head, where);
  const FamilyEntry& entry = entry_of(config, where);
  const StoredTensors stored = stored_tensors(tensors, entry.names, folder.string());
  return make_family(settled_config(config, stored, entry, folder.string()), head, where);
}

void warn_of_idle_fields(const nlohmann::json& config, const std::string& where) {
  std::vector<std::string> lines = idle_fields(config, entry_of(config, where).fields);
  for (std::string& line : idle_rotary_fields(config)) lines.push_back(std::move(line));
  for (const std::string& line : lines) log_warning("{}: {}", where, line);
}

}  // namespace

}  // namespace model

Model load_model(const std::filesystem::path& path, const HeadSpec& head, Key key, const std::string& called) {
  using namespace model;
  const CheckpointFolder folder = CheckpointFolder::open(path);
  const std::string where = path.string(), name = called.empty() ? where : called;
  Model model;
  const std::vector<TensorInfo> tensors = folder.tensors();
  model.family = stored_family(folder.config(), tensors, head, path);
  warn_of_idle_fields(folder.config(), (path / "config.json").string());
  model.tokenizer = load_tokenizer(path);
  model.generation = read_generation_config(path, folder.config());
  MatchedWeights matched = match_weights(tensors, *model.family, where);
  if (!matched.unused.empty()) log_info("{}: weights of another head, not used: {}", name, join_words(matched.unused));
  model.weights = std::move(matched.weights);
  initialise_missing(model, matched.missing, name, key);
  return model;
}

Weights load_weights(const std::filesystem::path& path, const Family& family) {
  if (std::filesystem::is_directory(path)) {
    const CheckpointFolder folder = CheckpointFolder::open(path);
    return model::match_weights(folder.tensors(), family, path.string()).weights;
  }
  refuse_pickle(path);
  const SafetensorsFile file = SafetensorsFile::open(path);
  return model::match_weights(file.tensors(), family, path.string()).weights;
}

}  // namespace tsrun
