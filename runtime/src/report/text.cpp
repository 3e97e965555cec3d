#include "tsrun/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace tsrun::report {

namespace {

std::string replace_each(std::string_view text, std::string_view (*replacement)(char)) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    std::string_view instead = replacement(c);
    if (instead.empty()) {
      out += c;
    } else {
      out += instead;
    }
  }
  return out;
}

std::string_view html_entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

std::string_view latex_command(char c) {
  switch (c) {
    case '\\':
      return "\\textbackslash{}";
    case '{':
      return "\\{";
    case '}':
      return "\\}";
    case '$':
      return "\\$";
    case '&':
      return "\\&";
    case '#':
      return "\\#";
    case '%':
      return "\\%";
    case '_':
      return "\\_";
    case '^':
      return "\\textasciicircum{}";
    case '~':
      return "\\textasciitilde{}";
    case '<':
      return "\\textless{}";
    case '>':
      return "\\textgreater{}";
    case '|':
      return "\\textbar{}";
    default:
      return {};
  }
}

std::string_view markdown_escape(char c) {
  switch (c) {
    case '|':
      return "\\|";
    case '\\':
      return "\\\\";
    case '`':
      return "\\`";
    case '*':
      return "\\*";
    case '_':
      return "\\_";
    case '<':
      return "&lt;";
    case '&':
      return "&amp;";
    case '[':
      return "\\[";
    default:
      return {};
  }
}

}  // namespace

std::string score(double value) { return std::isnan(value) ? "–" : fmt::format("{:.3f}", value); }

std::string mean_and_deviation(double mean, double deviation, int64_t n) {
  return n < 2 ? fmt::format("{:.3f} ± –", mean) : fmt::format("{:.3f} ± {:.3f}", mean, deviation);
}

std::string percent(double share) { return fmt::format("{:.0f}%", 100 * share); }

std::string count(int64_t number) {
  std::string digits = std::to_string(number);
  const int64_t first = number < 0 ? 1 : 0;
  for (int64_t at = static_cast<int64_t>(digits.size()) - 3; at > first; at -= 3) digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

std::string bytes(int64_t number) {
  static constexpr std::array units = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(number);
  size_t unit = 0;
  while (std::abs(value) >= 999.95 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", number) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string duration(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string escape_html(std::string_view text) { return replace_each(text, html_entity); }
std::string escape_markdown(std::string_view text) { return replace_each(one_line(text), markdown_escape); }

std::string escape_latex(std::string_view text) {
  std::string out = replace_each(one_line(text), latex_command);
  for (const auto& [from, to] : {std::pair{"±", "$\\pm$"}, std::pair{"–", "--"}, std::pair{"σ", "$\\sigma$"}, std::pair{"θ", "$\\theta$"},
                                 std::pair{"→", "$\\to$"}, std::pair{"≥", "$\\geq$"}}) {
    for (size_t at = 0; (at = out.find(from, at)) != std::string::npos; at += std::string_view(to).size()) {
      out.replace(at, std::string_view(from).size(), to);
    }
  }
  return out;
}

std::string quote_csv(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return out;
}

size_t display_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0U) != 0x80U; }));
}

std::string pad_right(std::string text, size_t width) {
  const size_t used = display_width(text);
  if (used < width) text.append(width - used, ' ');
  return text;
}

std::string pad_left(std::string text, size_t width) {
  const size_t used = display_width(text);
  return used < width ? std::string(width - used, ' ') + text : text;
}

}  // namespace tsrun::report
