#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tsrun::text {

std::optional<std::string> from_base64(std::string_view text);  ///< nothing when malformed
std::string to_base64(std::string_view bytes);

}  // namespace tsrun::text
