#include "tsrun/tune/mask.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/checkpoint/safetensors.h"

#include <algorithm>
#include <cstring>

namespace tsrun {
namespace {

constexpr int mask_format = 1;
const char* const mask_index = "mask.json";
const char* const data_name = "positions.safetensors";

std::vector<int64_t> read_positions(const std::filesystem::path& path, int64_t total) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const TensorInfo* info = file.find("positions");
  if (!info || info->type != DataType::int64 || info->shape.size() != 1) data_error("{}: no tensor 'positions' of I64", path.string());
  std::vector<int64_t> positions(static_cast<size_t>(info->shape[0]));
  if (!positions.empty()) std::memcpy(positions.data(), info->bytes.data(), info->bytes.size());
  int64_t last = -1;
  for (int64_t position : positions) {
    if (position <= last || position >= total)
      data_error("{}: position {} after {}, expected ascending positions below {}", path.string(), position, last, total);
    last = position;
  }
  return positions;
}

}  // namespace

void save_mask(const Mask& mask, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const auto count = static_cast<int64_t>(mask.positions.size());
  const TensorInfo info{"positions", DataType::int64, {count}, std::as_bytes(std::span(mask.positions))};
  write_safetensors(folder / data_name, {&info, 1});
  const nlohmann::json index = {
      {"format", mask_format}, {"layout", mask.layout.to_json()}, {"count", count}, {"description", mask.description}};
  write_durable(folder / mask_index, index.dump(1) + "\n");
}

Mask load_mask(const std::filesystem::path& folder) {
  const std::string path = (folder / mask_index).string();
  const nlohmann::json index = read_json(path);
  Mask mask;
  try {
    if (index.at("format") != mask_format)
      data_error("{}: format {} is not the {} that this program reads", path, index["format"].dump(), mask_format);
    mask.layout = Layout::from_json(index.at("layout"));
    mask.description = index.at("description");
    mask.positions = read_positions(folder / data_name, mask.layout.total());
    if (index.at("count") != mask.positions.size())
      data_error("{}: count is {}, the file has {}", path, index["count"].dump(), mask.positions.size());
  } catch (const nlohmann::json::exception& e) {
    data_error("{}: not a mask: {}", path, e.what());
  }
  return mask;
}

}  // namespace tsrun
