#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::text {

/// The character map of a SentencePiece model ("precompiled_charsmap"): a double-array trie from texts to texts. As Hugging Face's
/// tokenizers apply it: a grapheme of less than 6 bytes that starts with an entry is replaced as a whole; in others each character is.
class Charsmap {
 public:
  /// @throws Error(data) "`where`: …" when sizes do not fit.
  Charsmap(std::string_view bytes, const std::string& where);
  Charsmap(const Charsmap&) = delete;
  Charsmap& operator=(const Charsmap&) = delete;
  std::string operator()(std::string_view text) const;
  const std::string& bytes() const { return bytes_; }

 private:
  std::optional<std::string_view> look_up(std::string_view text) const;
  void append_grapheme(std::string_view grapheme, std::string& out) const;

  std::string bytes_;
  std::vector<uint32_t> units_;
  std::string_view texts_;
  std::array<bool, 128> plain_{};  ///< ASCII characters that stay as they are
};

}  // namespace tsrun::text
