#pragma once

#include "text/added_tokens.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tsrun::text {

/// Names of a tokenizer's vocabulary and added tokens, and which are special.
class TokenNames {
 public:
  TokenNames() = default;
  TokenNames(std::vector<std::string> vocabulary, const std::vector<AddedToken>& added);
  int64_t size() const { return static_cast<int64_t>(names_.size()); }
  const std::string& name(int64_t id) const;  ///< @throws Error(internal) for an id outside
  std::optional<int64_t> added_id(std::string_view token) const;
  const std::vector<std::string>& all() const { return names_; }

  /// Decoded text of `id` when it is not its name: an added token's normalized form.
  void spell(int64_t id, std::string text) { spelled_[id] = std::move(text); }

  /// Spellings of those of `ids` that have a name.
  std::vector<std::string> spellings_of(std::span<const int64_t> ids, bool skip_special_tokens) const;

 private:
  std::vector<std::string> names_;  ///< "": an id without a token
  std::vector<bool> special_;
  std::unordered_map<std::string, int32_t> added_;
  std::unordered_map<int64_t, std::string> spelled_;
};

}  // namespace tsrun::text
