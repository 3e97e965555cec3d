#include "text/byte_alphabet.h"

#include "text/utf8_units.h"

#include <array>

namespace tsrun::text {
namespace {

constexpr int kAlphabetEnd = 0x144;  ///< one past its last character

struct ByteAlphabet {
  std::array<UChar32, 256> character{};
  std::array<int, kAlphabetEnd> byte{};

  ByteAlphabet() {
    byte.fill(-1);
    UChar32 next = 0x100;
    for (int value = 0; value < 256; ++value) {
      const bool visible = (value >= '!' && value <= '~') || (value >= 0xA1 && value <= 0xAC) || value >= 0xAE;
      character[static_cast<size_t>(value)] = visible ? value : next++;
      byte[static_cast<size_t>(character[static_cast<size_t>(value)])] = value;
    }
  }
};

const ByteAlphabet& byte_alphabet() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_character(text, byte_alphabet().character[static_cast<unsigned char>(byte)]);
  return text;
}

std::optional<std::string> from_byte_alphabet(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const UChar32 c = next_character(text, at);
    if (c < 0 || c >= kAlphabetEnd || byte_alphabet().byte[static_cast<size_t>(c)] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte_alphabet().byte[static_cast<size_t>(c)]));
  }
  return bytes;
}

}  // namespace tsrun::text
