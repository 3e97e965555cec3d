#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace tsrun::text {

/// The tokens "<0x00>" to "<0xFF>" for characters without a token.
class ByteTokens {
 public:
  ByteTokens() { ids_.fill(-1); }
  explicit ByteTokens(const std::function<int32_t(std::string_view)>& find);
  /// Appends the tokens of the bytes of `character`; false and nothing when one of them has none.
  template <class Id>
  bool append(std::string_view character, std::vector<Id>& ids) const {
    for (const char byte : character)
      if (ids_[static_cast<unsigned char>(byte)] < 0) return false;
    for (const char byte : character) ids.push_back(ids_[static_cast<unsigned char>(byte)]);
    return true;
  }

 private:
  std::array<int32_t, 256> ids_;
};

/// The byte of `token` when it is one of them.
std::optional<char> byte_of_token(std::string_view token);

}  // namespace tsrun::text
