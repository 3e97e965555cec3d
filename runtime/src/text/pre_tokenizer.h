#pragma once

#include <nlohmann/json.hpp>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// A part of a text on its way to the model.
struct Piece {
  std::string_view text;
  bool at_start = false;  ///< the text, its added tokens included, starts with it
};

struct Pieces {
  std::vector<Piece> parts;
  std::deque<std::string> texts;  ///< those that a step has made
};

/// One step of a tokenizer.json's `pre_tokenizer`. Thread-safe.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void operator()(Pieces& pieces) const = 0;  ///< no piece is empty, before and after
};

struct PreTokenizerParts {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  bool bytes = false;           ///< the model sees bytes, in its byte alphabet
  bool asks_for_start = false;  ///< a step does something else to the piece that a text starts with
};

/// Null gives no step. @throws Error(data) "`where`: …" naming a type or an option that is not supported.
PreTokenizerParts pre_tokenizer_of(const nlohmann::json& pre_tokenizer, const std::string& where);

/// Lets pieces that are bytes be written in the byte alphabet, for whatever follows that reads text.
void spell_bytes(PreTokenizerParts& parts);

}  // namespace tsrun
