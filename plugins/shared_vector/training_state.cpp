#include "training_state.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/log.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/model/model.h"

namespace tsrun::shared_vector {
namespace {

constexpr const char* file_name = "training.safetensors";

SavedTraining read_training(const SafetensorsFile& file, const nlohmann::json& identity) {
  const auto place = file.metadata().find("training");
  if (place == file.metadata().end()) data_error("{}: holds no state of a training", file.name());
  const auto header = parse_json(place->second, file.name());
  if (!header.is_object() || !header.contains("identity") || !header.contains("progress"))
    data_error("{}: expected identity and progress in its state", file.name());
  if (header.at("identity") != identity)
    user_error("{}: this state belongs to a training with other options or inputs ({}, here {}); remove it to start anew", file.name(),
               header.at("identity").dump(), identity.dump());
  SavedTraining saved{header.at("progress"), {}};
  for (const auto& info : file.tensors()) saved.tensors[info.name] = as_float32(info);
  return saved;
}

}  // namespace

void save_training(const std::filesystem::path& work, const nlohmann::json& identity, const SavedTraining& saved) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, values] : saved.tensors) infos.push_back(as_info(name, values));
  std::filesystem::create_directories(work);
  const nlohmann::json header = {{"identity", identity}, {"progress", saved.progress}};
  write_safetensors(work / file_name, infos, {{"training", header.dump()}});
}

std::optional<SavedTraining> load_training(const std::filesystem::path& work, const nlohmann::json& identity) {
  if (!std::filesystem::exists(work / file_name)) return std::nullopt;
  try {
    return read_training(SafetensorsFile::open(work / file_name), identity);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data) throw;
    log_warning("{}; the training starts anew", error.what());
    return std::nullopt;
  }
}

}  // namespace tsrun::shared_vector
