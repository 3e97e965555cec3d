#pragma once

#include <string>

namespace tsrun::text {

/// The class of a folder's tokenizer as transformers' AutoTokenizer finds it.
struct TokenizerClass {
  std::string family;     ///< see FolderConfig; "": tokenizer.json alone decides
  bool own_steps = true;  ///< false: beside a tokenizer.json the class only decides on rows
};

/// Facts of a folder about its tokenizer's class; each may be empty.
struct StatedClass {
  std::string tokenizer_class;  ///< of tokenizer_config.json, else of config.json
  std::string model_type;
  bool byte_level_file = false;  ///< there is a tokenizer.json with ByteLevel
  bool word_piece_file = false;  ///< … with WordPiece
};
TokenizerClass tokenizer_class_of(const StatedClass& stated);

/// Family of a model type's vocabulary files; "" when unknown.
std::string family_of_model_type(const std::string& model_type);

}  // namespace tsrun::text
