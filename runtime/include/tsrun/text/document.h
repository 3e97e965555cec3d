#pragma once

#include "tsrun/text/special_roles.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>

/// A tokenizer from a tokenizer.json in memory, and parts of such a document.
namespace tsrun {

/// @throws Error(data) "`where`: …" naming whatever of `document` is malformed or not supported.
std::unique_ptr<Tokenizer> make_tokenizer(nlohmann::json document, SpecialRoles roles, const std::string& where);

/// A special token in `added_tokens`.
nlohmann::json special_entry(const std::string& content, int64_t id, bool strip_left = false);

struct NamedId {
  std::string name;  ///< "": none
  int64_t id = 0;
};

/// A TemplateProcessing of `begin` and `end` around each text.
nlohmann::json begin_end_rows(const NamedId& begin, const NamedId& end, int second_segment);

}  // namespace tsrun
