#include "base/bar_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace tsrun::base {

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(0.0, seconds) + 0.5);
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string bar_of(int64_t done, int64_t total) {
  constexpr int64_t kCells = 20;
  const int64_t full = total > 0 ? std::clamp<int64_t>(done, 0, total) * kCells / total : 0;
  return fmt::format("[{}{}]", std::string(static_cast<size_t>(full), '#'), std::string(static_cast<size_t>(kCells - full), '-'));
}

std::string counted(const News& news) {
  return news.total > 0 ? fmt::format("{}/{} {}", news.done, news.total, news.unit) : fmt::format("{} {}", news.done, news.unit);
}

std::string noted(const News& news) { return news.note.empty() ? "" : "  " + news.note; }

std::string bar_text(const News& news, double seconds) {
  std::string text = news.title;
  if (news.total > 0) text += " " + bar_of(news.done, news.total);
  text += " " + counted(news);
  if (news.total > 0 && news.done > 0 && news.done < news.total)
    text += "  eta " + clock_text(seconds / static_cast<double>(news.done) * static_cast<double>(news.total - news.done));
  return text + noted(news);  // the end is cut where the terminal is narrow
}

}  // namespace tsrun::base
