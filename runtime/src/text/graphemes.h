#pragma once

#include <cstddef>
#include <string_view>

namespace tsrun::text {

/// End of the extended grapheme cluster that starts at `at` (Unicode annex 29, rules GB3 to GB13); `text` is well-formed UTF-8.
size_t grapheme_end(std::string_view text, size_t at);

}  // namespace tsrun::text
