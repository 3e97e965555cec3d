#include "decoder.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/checkpoint/safetensors.h"
#include "tsrun/model/model.h"

namespace tsrun::shared_vector {
namespace {

constexpr const char* index_name = "map.json";
constexpr const char* numbers_name = "numbers.safetensors";
constexpr const char* origin_name = "origin.safetensors";

const TensorInfo& float_tensor(const SafetensorsFile& file, const std::string& name, const std::vector<int64_t>& shape) {
  const TensorInfo* info = file.find(name);
  if (!info || info->type != DataType::float32 || info->shape != shape)
    data_error("{}: expected '{}' as F32 of {} dimensions, {} numbers", file.name(), name, shape.size(), shape.empty() ? 0 : shape.back());
  return *info;
}

Shape read_shape(const nlohmann::json& index, const std::string& path) {
  const auto map = index.at("map").get<std::string>();
  if (map != "fastfood" && map != "dense") data_error("{}: map is '{}', expected fastfood or dense", path, map);
  const auto dim = index.at("dim").get<int64_t>();
  if (dim < 1 || dim > 65536) data_error("{}: dim is {}, expected 1 to 65536", path, dim);
  return {
      .dim = dim, .fastfood = map == "fastfood", .bias = index.at("bias").get<bool>(), .deviation = index.at("deviation").get<double>()};
}

}  // namespace

void Decoder::save(const std::filesystem::path& folder) const {
  const nlohmann::json index = {{"key", key_.words()},
                                {"dim", shape_.dim},
                                {"map", shape_.fastfood ? "fastfood" : "dense"},
                                {"bias", shape_.bias},
                                {"deviation", shape_.deviation},
                                {"trained", trained_},
                                {"origin_dropped", dropped_.defined()},
                                {"layout", parameters_.layout.digest()},
                                {"digest", digest_}};
  if (trained_) write_tensors(folder / numbers_name, numbers());
  if (dropped_.defined()) write_tensors(folder / origin_name, {{"origin", dropped_}});
  write_durable(folder / index_name, index.dump(1) + "\n");
}

void Decoder::restore(const std::filesystem::path& folder) {
  const auto file = SafetensorsFile::open(folder / numbers_name);
  for (const auto& [name, values] : numbers()) values.copy_(as_float32(float_tensor(file, name, values.sizes().vec())));
  trained_ = true;
}

std::unique_ptr<Decoder> Decoder::load(const std::filesystem::path& folder, const ParameterSet& parameters) {
  const std::string path = (folder / index_name).string();
  const nlohmann::json index = read_json(path);
  try {
    if (index.at("layout") != parameters.layout.digest()) data_error("{}: the map belongs to another parameter set", path);
    const Shape shape = read_shape(index, path);
    at::Tensor dropped;
    if (index.at("origin_dropped").get<bool>()) {
      const auto file = SafetensorsFile::open(folder / origin_name);
      dropped = as_float32(float_tensor(file, "origin", {parameters.layout.total()})).clone();
    }
    const Key key = Key::from_words(index.at("key").get<std::array<uint32_t, 2>>());
    auto decoder = std::make_unique<Decoder>(parameters, shape, key, dropped);
    if (index.at("digest") != decoder->digest())
      data_error(
          "{}: the key draws other numbers here (digest {}) than where the map was made ({}): the map cannot be used on this machine", path,
          decoder->digest(), index["digest"].dump());
    if (index.at("trained").get<bool>()) decoder->restore(folder);
    return decoder;
  } catch (const nlohmann::json::exception& e) {
    data_error("{}: not a map of shared_vector: {}", path, e.what());
  }
}

}  // namespace tsrun::shared_vector
