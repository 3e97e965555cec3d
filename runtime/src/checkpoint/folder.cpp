#include "tsrun/checkpoint/folder.h"

#include <set>

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"

namespace tsrun {
namespace {

namespace fs = std::filesystem;

constexpr const char *config_name = "config.json", *weights_name = "model.safetensors", *index_name = "model.safetensors.index.json";

nlohmann::json read_config(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) data_error("{}: no such folder", folder.string());
  const fs::path path = folder / config_name;
  if (!fs::exists(path, ignored))
    data_error("{}: no {}; expected a Hugging Face model folder ({} and {})", folder.string(), config_name, config_name, weights_name);
  nlohmann::json config = read_json(path);
  if (!config.is_object()) data_error("{}: holds {}, expected an object", path.string(), config.type_name());
  return config;
}

[[noreturn]] void no_weights(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("pytorch_model")) refuse_pickle(entry.path());
  }
  data_error("{}: no weights; expected {} or {}", folder.string(), weights_name, index_name);
}

// Tensor name -> file name, with every file name a plain one inside the folder.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const nlohmann::json index = read_json(path);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (map == index.end() || !map->is_object() || map->empty())
    data_error("{}: no table 'weight_map' of tensor and file names", path.string());
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : map->items()) {
    const fs::path name = file.is_string() ? fs::path(file.get<std::string>()) : fs::path();
    if (name.empty() || name.has_parent_path() || name == "." || name == "..") {
      data_error("{}: tensor '{}' is in {}, expected the name of a file in the same folder", path.string(), tensor,
                 file.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
    }
    files[tensor] = name.string();
  }
  return files;
}

std::vector<SafetensorsFile> open_shards(const fs::path& folder) {
  const auto index = read_index(folder / index_name);
  std::set<std::string> names;
  for (const auto& [tensor, file] : index) names.insert(file);
  std::vector<SafetensorsFile> shards;
  std::map<std::string, std::string> found;
  for (const std::string& name : names) {
    std::error_code ignored;
    if (!fs::exists(folder / name, ignored))
      data_error("{}: names the file '{}', which the folder lacks", (folder / index_name).string(), name);
    shards.push_back(SafetensorsFile::open(folder / name));
    for (const TensorInfo& tensor : shards.back().tensors()) {
      const auto [other, fresh] = found.emplace(tensor.name, name);
      if (!fresh) data_error("{}: tensor '{}' is in '{}' and in '{}'", folder.string(), tensor.name, other->second, name);
    }
  }
  for (const auto& [tensor, file] : index) {
    const auto place = found.find(tensor);
    if (place == found.end()) data_error("{}: names tensor '{}' in '{}', but no file has it", (folder / index_name).string(), tensor, file);
    if (place->second != file)
      data_error("{}: names tensor '{}' in '{}', but it is in '{}'", (folder / index_name).string(), tensor, file, place->second);
  }
  return shards;
}

}  // namespace

CheckpointFolder CheckpointFolder::open(const fs::path& folder) {
  CheckpointFolder result;
  result.path_ = folder;
  result.config_ = read_config(folder);
  std::error_code ignored;
  if (fs::exists(folder / weights_name, ignored)) {
    result.shards_.push_back(SafetensorsFile::open(folder / weights_name));
  } else if (fs::exists(folder / index_name, ignored)) {
    result.shards_ = open_shards(folder);
  } else {
    no_weights(folder);
  }
  return result;
}

std::vector<TensorInfo> CheckpointFolder::tensors() const {
  std::vector<TensorInfo> all;
  for (const SafetensorsFile& shard : shards_) all.insert(all.end(), shard.tensors().begin(), shard.tensors().end());
  return all;
}

std::vector<fs::path> CheckpointFolder::files() const {
  std::vector<fs::path> all = {path_ / config_name};
  for (const SafetensorsFile& shard : shards_) all.emplace_back(shard.name());
  if (all.back() != path_ / weights_name) all.push_back(path_ / index_name);
  return all;
}

std::string CheckpointFolder::digest() const {
  Sha256 hash;
  for (const fs::path& file : files()) hash.update(sha256_file(file));
  return hash.hex();
}

}  // namespace tsrun
