#include "checkpoint/data_type.h"

#include <array>
#include <limits>

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

namespace tsrun {
namespace {

struct TypeName {
  DataType type;
  std::string_view name;
  int64_t size;
};

constexpr std::array<TypeName, 15> type_names{{
    {DataType::boolean, "BOOL", 1},
    {DataType::uint8, "U8", 1},
    {DataType::int8, "I8", 1},
    {DataType::int16, "I16", 2},
    {DataType::uint16, "U16", 2},
    {DataType::float16, "F16", 2},
    {DataType::bfloat16, "BF16", 2},
    {DataType::int32, "I32", 4},
    {DataType::uint32, "U32", 4},
    {DataType::float32, "F32", 4},
    {DataType::float64, "F64", 8},
    {DataType::int64, "I64", 8},
    {DataType::uint64, "U64", 8},
    {DataType::float8_e4m3, "F8_E4M3", 1},
    {DataType::float8_e5m2, "F8_E5M2", 1},
}};

const TypeName& entry_of(DataType type) {
  for (const TypeName& entry : type_names) {
    if (entry.type == type) return entry;
  }
  internal_error("unknown data type {}", static_cast<int>(type));
}

}  // namespace

int64_t size_of(DataType type) { return entry_of(type).size; }
std::string_view name_of(DataType type) { return entry_of(type).name; }

namespace checkpoint {

std::optional<DataType> data_type_named(std::string_view name) {
  for (const TypeName& entry : type_names) {
    if (entry.name == name) return entry.type;
  }
  return std::nullopt;
}

std::string known_data_types() {
  std::vector<std::string> names;
  for (const TypeName& entry : type_names) names.emplace_back(entry.name);
  return join_words(names);
}

std::optional<int64_t> bytes_of(const std::vector<int64_t>& shape, DataType type) {
  int64_t bytes = size_of(type);
  for (const int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && bytes > std::numeric_limits<int64_t>::max() / extent)) return std::nullopt;
    bytes *= extent;
  }
  return bytes;
}

}  // namespace checkpoint

}  // namespace tsrun
