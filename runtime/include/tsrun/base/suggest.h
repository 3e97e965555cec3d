#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// " (did you mean 'rank'?)" when one of `known` is within a small edit distance of `given`, else "".
std::string did_you_mean(std::string_view given, std::span<const std::string> known);

/// "a, b and c" for messages.
std::string join_words(std::span<const std::string> words);

}  // namespace tsrun
