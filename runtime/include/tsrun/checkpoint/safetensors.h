#pragma once

#include "tsrun/base/files.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The safetensors format, memory-mapped without a copy and fully validated when opened.
namespace tsrun {

enum class DataType {
  boolean,
  uint8,
  int8,
  int16,
  uint16,
  float16,
  bfloat16,
  int32,
  uint32,
  float32,
  float64,
  int64,
  uint64,
  float8_e4m3,
  float8_e5m2
};
int64_t size_of(DataType type);
std::string_view name_of(DataType type);  ///< "F32", "BF16", … as in the file format

/// `bytes` are as aligned as the file has them: copy unaligned ones before reading them as numbers.
struct TensorInfo {
  std::string name;
  DataType type = DataType::float32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
  std::shared_ptr<const MappedFile> map = nullptr;  ///< keeps `bytes`; null: other memory, which must outlive this
};

class SafetensorsFile {
 public:
  /// Maps the file; each of its tensors keeps the map.
  /// @throws Error(data) naming the file, the broken rule, the value found and the one expected.
  static SafetensorsFile open(const std::filesystem::path& path);
  /// The same over bytes in memory, named `name` in messages. The bytes must outlive the object and its tensors.
  static SafetensorsFile parse(std::span<const std::byte> bytes, const std::string& name);
  const std::vector<TensorInfo>& tensors() const { return tensors_; }  ///< in the order of their offsets
  const TensorInfo* find(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Writes tensors durably, in the order given. Data starts on an 8-byte boundary. Streams the spans; makes no copy of them.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorInfo> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace tsrun
