#pragma once

#include <nlohmann/json.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun::text {

struct Match {
  size_t begin = 0, end = 0;
};

/// A pattern of a tokenizer.json: {"String": …} or {"Regex": …}. Thread-safe.
class Pattern {
 public:
  virtual ~Pattern() = default;
  /// Matches from left to right, not overlapping, not empty. `text` is well-formed UTF-8.
  virtual void find_all(std::string_view text, std::vector<Match>& matches) const = 0;
};

/// The split expressions of GPT-2, Llama 3 and Qwen2 are matched by hand, others by ICU. @throws Error(data) "`where`: …" for an expression
/// that is malformed or has a construct that ICU and the file's own library read differently.
std::unique_ptr<Pattern> pattern_of(const nlohmann::json& pattern, const std::string& where);
std::unique_ptr<Pattern> word_pattern_gpt2();

std::string replace_all(std::string_view text, const Pattern& pattern, std::string_view content);

}  // namespace tsrun::text
