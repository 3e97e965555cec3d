#include "text/base64.h"

#include <openssl/evp.h>

namespace tsrun::text {

std::optional<std::string> from_base64(std::string_view text) {
  constexpr size_t kMost = size_t{1} << 30;
  if (text.empty()) return std::string();
  if (text.size() % 4 != 0 || text.size() > kMost) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  auto* out = reinterpret_cast<unsigned char*>(bytes.data());
  const int size = EVP_DecodeBlock(out, reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size != static_cast<int>(bytes.size())) return std::nullopt;
  bytes.resize(bytes.size() - (text.ends_with("==") ? 2u : text.ends_with('=') ? 1u : 0u));
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock ends with a NUL
  const auto* in = reinterpret_cast<const unsigned char*>(bytes.data());
  text.resize(static_cast<size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), in, static_cast<int>(bytes.size()))));
  return text;
}

}  // namespace tsrun::text
