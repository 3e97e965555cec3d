#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::text {

/// Encodes pieces of text as tokens of a vocabulary. Thread-safe after construction.
class SubwordModel {
 public:
  virtual ~SubwordModel() = default;
  /// Appends the ids of `piece`, which is not empty and well-formed UTF-8 (bytes where the pieces are bytes).
  virtual void encode(std::string_view piece, std::vector<int64_t>& ids) const = 0;
  /// Tokens by id, as written in files; empty: no token with this id.
  virtual const std::vector<std::string>& vocabulary() const = 0;
  virtual int32_t find(std::string_view token) const = 0;  ///< -1: not there
  virtual int32_t unknown() const = 0;                     ///< -1: none
  virtual nlohmann::json json() const = 0;                 ///< `model` of a tokenizer.json
};

}  // namespace tsrun::text
