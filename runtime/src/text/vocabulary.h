#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::text {

/// Bound of ids in files; larger ones are an error.
inline constexpr int64_t kMostTokenIds = 4'000'000;

/// Tokens of a `vocab.txt`, one a line; the line number from 0 is the id. @throws Error(data) as "`name`:line: …".
std::vector<std::string> parse_vocabulary(std::string_view text, const std::string& name);

/// Tokens of a JSON object token -> id; ids without a token are empty. @throws Error(data) as "`name`: …".
std::vector<std::string> vocabulary_of(const nlohmann::json& entries, const std::string& name);

}  // namespace tsrun::text
