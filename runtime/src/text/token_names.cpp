#include "text/token_names.h"

#include "tsrun/base/error.h"

#include <utility>

namespace tsrun::text {

TokenNames::TokenNames(std::vector<std::string> vocabulary, const std::vector<AddedToken>& added) : names_(std::move(vocabulary)) {
  special_.resize(names_.size());
  for (const AddedToken& token : added) {
    const auto place = static_cast<size_t>(token.id);
    if (place >= names_.size()) names_.resize(place + 1);
    if (place >= special_.size()) special_.resize(place + 1);
    if (names_[place].empty()) names_[place] = token.content;
    special_[place] = token.special;
    added_[token.content] = token.id;
  }
}

const std::string& TokenNames::name(int64_t id) const {
  if (id < 0 || id >= size()) internal_error("token id {} is outside the vocabulary of {}", id, size());
  return names_[static_cast<size_t>(id)];
}

std::optional<int64_t> TokenNames::added_id(std::string_view token) const {
  const auto found = added_.find(std::string(token));
  return found == added_.end() ? std::nullopt : std::optional<int64_t>(found->second);
}

std::vector<std::string> TokenNames::spellings_of(std::span<const int64_t> ids, bool skip_special_tokens) const {
  std::vector<std::string> names;
  names.reserve(ids.size());
  for (const int64_t id : ids) {
    if (id < 0 || id >= size()) continue;
    const auto place = static_cast<size_t>(id);
    if (names_[place].empty() || (skip_special_tokens && special_[place])) continue;
    const auto spelled = spelled_.find(id);
    names.push_back(spelled == spelled_.end() ? names_[place] : spelled->second);
  }
  return names;
}

}  // namespace tsrun::text
