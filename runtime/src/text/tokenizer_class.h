#pragma once

#include <string>

namespace tsrun {

/// The class of a folder's tokenizer as transformers' AutoTokenizer finds it.
struct TokenizerClass {
  std::string family;     ///< see FolderConfig; "": the tokenizer.json as it is
  bool own_steps = true;  ///< false: only rows are the class's own where there is a tokenizer.json
};

/// What a folder says about its tokenizer's class; each may be empty.
struct StatedClass {
  std::string tokenizer_class;  ///< of tokenizer_config.json, else of config.json
  std::string model_type;
  bool byte_level_file = false;  ///< there is a tokenizer.json with ByteLevel
  bool word_piece_file = false;  ///< … with WordPiece
};
TokenizerClass tokenizer_class_of(const StatedClass& stated);

/// The family whose vocabulary files a model type has; "" when it is not known.
std::string family_of_model_type(const std::string& model_type);

}  // namespace tsrun
