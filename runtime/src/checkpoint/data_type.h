#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tsrun/checkpoint/safetensors.h"

namespace tsrun::checkpoint {

/// The entry of a safetensors header that is not a tensor.
inline constexpr const char* metadata_key = "__metadata__";

std::optional<DataType> data_type_named(std::string_view name);
std::string known_data_types();  ///< "BOOL, U8, … and F8_E5M2"

/// Bytes of a tensor; nothing when the product overflows 63 bits or a dimension is negative.
std::optional<int64_t> bytes_of(const std::vector<int64_t>& shape, DataType type);

}  // namespace tsrun::checkpoint
