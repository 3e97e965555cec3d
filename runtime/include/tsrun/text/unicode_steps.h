#pragma once

#include <string>
#include <string_view>

/// Steps of normalization over whole texts, with the Unicode version of the reference.
namespace tsrun {

enum class NormalForm { nfc, nfd, nfkc, nfkd };

std::string to_form(NormalForm form, std::string_view text);
std::string to_lower(std::string_view text);
std::string without_accents(std::string_view text);  ///< removes combining marks
std::string without_controls(
    std::string_view text);  ///< Nmt: removes ASCII control characters; white space and invisible characters become blanks
std::string_view without_space(std::string_view text, bool left, bool right);

}  // namespace tsrun
