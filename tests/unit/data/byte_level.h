#pragma once

#include "tsrun/text/document.h"

#include <memory>

namespace tsrun {

/// Byte-level BPE without merges over " ", "a" to "e" and ".": one token a character. Ids: blank 0, a 1 … e 5, "." 6, <|endoftext|> 7.
inline std::unique_ptr<Tokenizer> tiny_byte_level(bool with_end = true) {
  const nlohmann::json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  nlohmann::json added = nlohmann::json::array();
  if (with_end)
    added.push_back({{"id", 7},
                     {"content", "<|endoftext|>"},
                     {"special", true},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false}});
  SpecialRoles roles;
  if (with_end) roles = {{SpecialToken::end, "<|endoftext|>"}};
  return make_tokenizer(nlohmann::json{{"added_tokens", added},
                                       {"pre_tokenizer", bytes},
                                       {"decoder", bytes},
                                       {"model",
                                        {{"type", "BPE"},
                                         {"merges", nlohmann::json::array()},
                                         {"vocab", {{"\u0120", 0}, {"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 5}, {".", 6}}}}}},
                        roles, "tiny");
}

}  // namespace tsrun
