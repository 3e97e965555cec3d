#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::text {

/// Used fields of a SentencePiece model (message ModelProto).
struct SentencePieceFile {
  enum class Kind : int64_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  enum class Model : int64_t { unigram = 1, bpe = 2, word = 3, character = 4 };
  struct Piece {
    std::string text;
    float score = 0;
    Kind kind = Kind::normal;
  };
  std::vector<Piece> pieces;
  Model model = Model::unigram;
  bool byte_fallback = false;
  bool suffix_space = false;  ///< treat_whitespace_as_suffix
  std::string charsmap, denormal_charsmap;
  bool prefix_space = true;       ///< add_dummy_prefix
  bool single_spaces = true;      ///< remove_extra_whitespaces
  bool escape_whitespace = true;  ///< blanks are written as U+2581
};

/// Not read by the sentencepiece library: ids must be those of Hugging Face's tokenizers, which treat graphemes, added tokens and ties
/// differently.
/// @throws Error(data) "`name`: byte 17: …" when malformed.
SentencePieceFile parse_sentencepiece(std::string_view bytes, const std::string& name);

}  // namespace tsrun::text
