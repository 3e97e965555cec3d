#include "text/sentencepiece_merges.h"

#include "text/utf8_units.h"
#include "text/word_table.h"

namespace tsrun::text {

nlohmann::json sentencepiece_merges(const SentencePieceFile& file) {
  WordTable known;
  for (size_t id = 0; id < file.pieces.size(); ++id) known.insert(file.pieces[id].text, static_cast<int32_t>(id));
  nlohmann::json merges = nlohmann::json::array();
  for (const SentencePieceFile::Piece& piece : file.pieces) {
    const std::string_view text = piece.text;
    for (size_t at = 0; at < text.size();) {
      next_character(text, at);
      const std::string_view left = text.substr(0, at), right = text.substr(at);
      if (!right.empty() && known.find(left) >= 0 && known.find(right) >= 0) merges.push_back({left, right});
    }
  }
  return merges;
}

}  // namespace tsrun::text
