#include "data/lines.h"
#include "data/place_error.h"
#include "data/readers.h"
#include "tsrun/base/error.h"

#include <utility>

namespace tsrun::data {
namespace {

class DelimitedReader {
 public:
  DelimitedReader(std::string_view text, char delimiter, bool quoted, const std::string& name)
      : text_(text), name_(name), delimiter_(delimiter), quoted_(quoted) {}

  Table read() {
    while (at_ < text_.size()) read_row();
    while (!table_.rows.empty() && is_blank(table_.rows.back())) drop_last();
    return std::move(table_);
  }

 private:
  static bool is_blank(const std::vector<std::string>& row) { return row.size() == 1 && row.front().empty(); }

  void drop_last() {
    table_.rows.pop_back();
    table_.lines.pop_back();
  }

  void read_row() {
    table_.lines.push_back(line_);
    std::vector<std::string>& row = table_.rows.emplace_back();
    do {
      row.push_back(quoted_ && at_ < text_.size() && text_[at_] == '"' ? quoted_field() : plain_field());
    } while (take_delimiter());
    take_line_end();
  }

  bool take_delimiter() {
    if (at_ >= text_.size() || text_[at_] != delimiter_) return false;
    ++at_;
    return true;
  }

  bool at_line_end() const {
    const std::string_view rest = text_.substr(at_);
    return rest.empty() || rest.front() == '\n' || rest.starts_with("\r\n") || rest == "\r";
  }

  void take_line_end() {
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size()) ++at_;
    ++line_;
  }

  std::string plain_field() {
    const size_t begin = at_;
    while (!at_line_end() && text_[at_] != delimiter_) {
      if (text_[at_] == '\r') lone_carriage_return(name_, line_);
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string quoted_field() {
    const int64_t first_line = line_;
    std::string field;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        if (text_.substr(at_, 2) != "\"\"") break;
        ++at_;
      }
      if (text_[at_] == '\n') ++line_;
      field.push_back(text_[at_]);
    }
    if (at_ >= text_.size()) error_at(name_, first_line, "found a quoted field without an end, expected a closing '\"'");
    ++at_;
    if (!at_line_end() && text_[at_] != delimiter_) {
      error_at(name_, line_, "found more text after a closing quote, expected a delimiter or the end of the line");
    }
    return field;
  }

  std::string_view text_;
  const std::string& name_;
  char delimiter_;
  bool quoted_;
  size_t at_ = 0;
  int64_t line_ = 1;
  Table table_;
};

}  // namespace

Table read_delimited(std::string_view text, char delimiter, const std::string& quote, const std::string& name) {
  if (!quote.empty() && quote != "\"") user_error("{}: quote is '{}', expected \"\" or a double quote", name, quote);
  return DelimitedReader(text, delimiter, !quote.empty(), name).read();
}

}  // namespace tsrun::data
