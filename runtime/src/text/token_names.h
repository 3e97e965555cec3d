#pragma once

#include "text/added_tokens.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tsrun {

/// The added tokens of a tokenizer beside its vocabulary: by id, by name, and which are special.
class TokenNames {
 public:
  TokenNames() = default;
  TokenNames(std::vector<std::string> vocabulary, const std::vector<AddedToken>& added);
  int64_t size() const { return static_cast<int64_t>(names_.size()); }
  const std::string& name(int64_t id) const;  ///< @throws Error(internal) for an id outside
  std::optional<int64_t> added_id(std::string_view token) const;
  const std::vector<std::string>& all() const { return names_; }

  /// What `id` adds to a decoded text when that is not its name: an added token is spelled as it is looked for, in its normalized form.
  void spell(int64_t id, std::string text) { spelled_[id] = std::move(text); }

  /// Spellings of those of `ids` that have a name.
  std::vector<std::string> spellings_of(std::span<const int64_t> ids, bool skip_special_tokens) const;

 private:
  std::vector<std::string> names_;  ///< "": an id without a token
  std::vector<bool> special_;
  std::unordered_map<std::string, int32_t> added_;
  std::unordered_map<int64_t, std::string> spelled_;
};

}  // namespace tsrun
