#include "tune/python_syntax.h"

#include "tsrun/base/error.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <vector>

namespace tsrun::tune {
namespace {

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_plain(char c) { return is_letter(c) || is_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80; }

/// Reads an expression of Python from left to right and writes ICU's.
class Translator {
 public:
  Translator(const std::string& expression, const std::string& where) : in_(expression), where_(where) {}

  std::string run() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') {
        escape(/*in_set=*/false);
      } else if (c == '[') {
        set();
      } else if (starts("(?")) {
        extension();
      } else if (c == '{') {
        brace();
      } else if (c == ']' || c == '}') {
        literal(c);
      } else {
        out_ += c, ++at_;
      }
    }
    return out_;
  }

 private:
  bool starts(std::string_view text) const { return std::string_view(in_).substr(at_).starts_with(text); }
  char next(size_t ahead) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  void literal(char c) { out_ += '\\', out_ += c, ++at_; }

  [[noreturn]] void refuse(std::string_view construct) const {
    user_error("{}: '{}' has '{}', which Python's re refuses or which cannot be said to ICU", where_, in_, construct);
  }

  /// Letters that mean something behind a backslash in Python, and the same in ICU but for Z.
  void escape(bool in_set) {
    if (at_ + 1 >= in_.size()) refuse("\\");
    const char c = in_[at_ + 1];
    const std::string_view known = in_set ? "afnrtuUxdDsSwW" : "afnrtuUxdDsSwWAbBZ";
    if (is_letter(c) && known.find(c) == std::string_view::npos && !(in_set && c == 'b')) refuse(std::string_view(in_).substr(at_, 2));
    if (in_set && c == 'b') {
      out_ += "\\x08";  // in a set, a backspace
    } else {
      out_ += '\\', out_ += c == 'Z' ? 'z' : c;
    }
    at_ += 2;
  }

  /// A set: what stands in it is literal to Python but for escapes, ranges and the first ^.
  void set() {
    const size_t begin = at_;
    out_ += in_[at_++];
    if (next(0) == '^') out_ += in_[at_++];
    if (next(0) == ']') literal(']');
    for (;;) {
      if (at_ >= in_.size()) refuse(std::string_view(in_).substr(begin));
      const char c = in_[at_];
      if (c == ']') break;
      if (c == '\\') {
        escape(/*in_set=*/true);
      } else if (c == '-' && next(1) != ']' && in_[at_ - 1] != '[' && !(in_[at_ - 1] == '^' && at_ == begin + 2)) {
        if (next(1) == '-') refuse("--");
        out_ += c, ++at_;
      } else if (is_plain(c)) {
        out_ += c, ++at_;
      } else {
        literal(c);
      }
    }
    out_ += in_[at_++];
  }

  /// {m}, {m,}, {m,n}, {,n}; any other brace is literal to Python.
  void brace() {
    const size_t end = in_.find('}', at_);
    const std::string inside = end == in_.npos ? "" : in_.substr(at_ + 1, end - at_ - 1);
    const size_t comma = inside.find(',');
    const std::string low = inside.substr(0, comma), high = comma == inside.npos ? "" : inside.substr(comma + 1);
    const auto number = [](const std::string& text) { return std::all_of(text.begin(), text.end(), is_digit); };
    if (inside.empty() || !number(low) || !number(high) || (comma == inside.npos && low.empty())) return literal('{');
    out_ += "{" + (low.empty() ? "0" : low) + (comma == inside.npos ? "" : "," + high) + "}";
    at_ = end + 1;
  }

  void copy(size_t count) {
    out_ += in_.substr(at_, count);
    at_ += count;
  }

  /// Groups that begin with (?.
  void extension() {
    for (const char* same : {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?#"})
      if (starts(same)) return copy(std::string_view(same).size());
    if (starts("(?P<")) return named_group();
    if (starts("(?P=")) return named_reference();
    flags();
  }

  std::string name_until(char end, size_t ahead) {
    const size_t begin = at_ + ahead, stop = in_.find(end, begin);
    const std::string name = stop == in_.npos ? "" : in_.substr(begin, stop - begin);
    const bool valid = !name.empty() && !is_digit(name[0]) && std::all_of(name.begin(), name.end(), is_plain);
    if (!valid) refuse(std::string_view(in_).substr(at_));
    at_ = stop + 1;
    return name;
  }

  /// ICU's names of groups have no underscores: they are numbered instead.
  void named_group() {
    const std::string name = name_until('>', 4);
    if (std::find(groups_.begin(), groups_.end(), name) != groups_.end()) refuse("(?P<" + name + ">");
    groups_.push_back(name);
    out_ += "(?<g" + std::to_string(groups_.size()) + ">";
  }

  void named_reference() {
    const std::string name = name_until(')', 4);
    const auto found = std::find(groups_.begin(), groups_.end(), name);
    if (found == groups_.end()) refuse("(?P=" + name + ")");
    out_ += "\\k<g" + std::to_string(found - groups_.begin() + 1) + ">";
  }

  /// (?i) at the beginning, (?i:…) anywhere. a and u say what is so for ASCII names anyway.
  void flags() {
    const size_t begin = at_;
    size_t end = at_ + 2;
    std::string kept;
    for (; end < in_.size() && in_[end] != ')' && in_[end] != ':'; ++end) {
      if (std::string_view("imsx-au").find(in_[end]) == std::string_view::npos)
        refuse(std::string_view(in_).substr(begin, end + 1 - begin));
      if (in_[end] != 'a' && in_[end] != 'u') kept += in_[end];
    }
    const bool global = next(end - at_) == ')';
    if (end >= in_.size() || end == at_ + 2 || (global && begin != 0)) refuse(std::string_view(in_).substr(begin, end + 1 - begin));
    if (!global || !kept.empty()) out_ += "(?" + kept + in_[end];
    at_ = end + 1;
  }

  const std::string& in_;
  const std::string& where_;
  size_t at_ = 0;
  std::string out_;
  std::vector<std::string> groups_;
};

}  // namespace

std::string python_in_icu(const std::string& expression, const std::string& where) { return Translator(expression, where).run(); }

}  // namespace tsrun::tune
