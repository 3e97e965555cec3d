#include "text/word_level.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <utility>

namespace tsrun::text {

WordLevel::WordLevel(std::vector<std::string> vocabulary, std::string unknown, const std::string& where)
    : vocabulary_(std::move(vocabulary)), unknown_token_(std::move(unknown)) {
  for (size_t id = 0; id < vocabulary_.size(); ++id)
    if (!vocabulary_[id].empty()) tokens_.insert(vocabulary_[id], static_cast<int32_t>(id));
  unknown_ = tokens_.find(unknown_token_);
  if (unknown_ < 0)
    data_error("{}: model.unk_token is '{}', expected a token of the vocabulary{}", where, unknown_token_,
               did_you_mean(unknown_token_, vocabulary_));
}

void WordLevel::encode(std::string_view piece, std::vector<int64_t>& ids) const {
  const int32_t id = tokens_.find(piece);
  ids.push_back(id < 0 ? unknown_ : id);
}

nlohmann::json WordLevel::json() const {
  nlohmann::json vocabulary = nlohmann::json::object();
  for (size_t id = 0; id < vocabulary_.size(); ++id)
    if (!vocabulary_[id].empty()) vocabulary[vocabulary_[id]] = id;
  return {{"type", "WordLevel"}, {"unk_token", unknown_token_}, {"vocab", std::move(vocabulary)}};
}

}  // namespace tsrun::text
