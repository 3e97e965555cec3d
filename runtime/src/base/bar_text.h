#pragma once

#include "tsrun/base/news.h"

#include <string>

/// Texts of the display.
namespace tsrun::base {

std::string clock_text(double seconds);                  ///< 0:08, 1:02:03
std::string bar_of(int64_t done, int64_t total);         ///< [#####---------------]
std::string counted(const News& news);                   ///< 12/500 steps
std::string noted(const News& news);                     ///< the note behind two blanks, where there is one
std::string bar_text(const News& news, double seconds);  ///< after so many seconds

}  // namespace tsrun::base
