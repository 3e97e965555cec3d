#include "text/byte_fallback.h"

#include <fmt/format.h>

#include <charconv>

namespace tsrun::text {

ByteTokens::ByteTokens(const std::function<int32_t(std::string_view)>& find) {
  for (size_t byte = 0; byte < ids_.size(); ++byte) ids_[byte] = find(fmt::format("<0x{:02X}>", byte));
}

std::optional<char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || token.substr(0, 3) != "<0x" || token.back() != '>') return std::nullopt;
  unsigned byte = 0;
  const auto [end, failure] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  if (failure != std::errc() || end != token.data() + 5) return std::nullopt;
  return static_cast<char>(byte);
}

}  // namespace tsrun::text
