#pragma once

#include <nlohmann/json.hpp>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::text {

/// A piece of text between pre-tokenizing steps.
struct Piece {
  std::string_view text;
  bool at_start = false;  ///< starts the text, added tokens included
};

struct Pieces {
  std::vector<Piece> parts;
  std::deque<std::string> texts;  ///< texts that a step has created
};

/// One step of a tokenizer.json's `pre_tokenizer`. Thread-safe.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void operator()(Pieces& pieces) const = 0;  ///< no piece is empty, before and after
};

struct PreTokenizerParts {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  bool bytes = false;           ///< the model takes bytes, in the byte alphabet
  bool asks_for_start = false;  ///< a step treats the first piece of a text differently
};

/// Null gives no step. @throws Error(data) "`where`: …" naming a type or an option that is not supported.
PreTokenizerParts pre_tokenizer_of(const nlohmann::json& pre_tokenizer, const std::string& where);

/// Writes byte pieces in the byte alphabet, for following steps that read text.
void spell_bytes(PreTokenizerParts& parts);

}  // namespace tsrun::text
