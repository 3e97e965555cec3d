#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tsrun {

/// `text` without Unicode white space at its ends.
std::string_view stripped(std::string_view text);
/// Parts between runs of Unicode white space.
std::vector<std::string_view> split_words(std::string_view text);
/// Unicode lower case, whatever the locale.
std::string lower_case(std::string_view text);
/// Words as SQuAD's evaluation compares them: lower case, without ASCII punctuation and the articles a, an, the (Rajpurkar et al. 2016).
std::vector<std::string> squad_words(std::string_view text);

}  // namespace tsrun
