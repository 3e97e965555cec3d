#include <array>

#include "checkpoint/data_type.h"
#include "tsrun/base/durable_file.h"
#include "tsrun/base/error.h"
#include "tsrun/checkpoint/safetensors.h"

namespace tsrun {
namespace {

std::string header_of(const std::filesystem::path& path, std::span<const TensorInfo> tensors,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[checkpoint::metadata_key] = metadata;
  int64_t offset = 0;
  for (const TensorInfo& tensor : tensors) {
    const auto bytes = checkpoint::bytes_of(tensor.shape, tensor.type);
    if (!bytes || static_cast<size_t>(*bytes) != tensor.bytes.size()) {
      internal_error("{}: tensor '{}' of {} [{}] has {} bytes", path.string(), tensor.name, name_of(tensor.type),
                     fmt::join(tensor.shape, ", "), tensor.bytes.size());
    }
    if (tensor.name == checkpoint::metadata_key || header.contains(tensor.name))
      internal_error("{}: the name '{}' is taken", path.string(), tensor.name);
    header[tensor.name] = {{"dtype", name_of(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + *bytes}}};
    offset += *bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const TensorInfo> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string header = header_of(path, tensors, metadata);
  std::array<std::byte, 8> length{};
  for (size_t i = 0; i < length.size(); ++i) length.at(i) = static_cast<std::byte>(uint64_t{header.size()} >> (8 * i));
  DurableFile file(path);
  file.write(length);
  file.write(header);
  for (const TensorInfo& tensor : tensors) file.write(tensor.bytes);
  file.commit();
}

}  // namespace tsrun
