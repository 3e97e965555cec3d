#include "text/pattern.h"

#include "text/expression.h"
#include "text/word_split.h"
#include "tsrun/base/error.h"

namespace tsrun::text {
namespace {

class LiteralPattern : public Pattern {
 public:
  explicit LiteralPattern(std::string text) : text_(std::move(text)) {}
  void find_all(std::string_view text, std::vector<Match>& matches) const override {
    for (size_t at = text.find(text_); at != std::string_view::npos; at = text.find(text_, at + text_.size()))
      matches.push_back({at, at + text_.size()});
  }

 private:
  std::string text_;
};

class HandPattern : public Pattern {
 public:
  explicit HandPattern(WordPattern pattern) : pattern_(pattern) {}
  void find_all(std::string_view text, std::vector<Match>& matches) const override {
    for (size_t at = 0; at < text.size(); at = matches.back().end) matches.push_back({at, word_end(pattern_, text, at)});
  }

 private:
  WordPattern pattern_;
};

std::string member(const nlohmann::json& pattern, const char* key, const std::string& where) {
  if (!pattern.at(key).is_string() || pattern.at(key).empty() || pattern.at(key) == "")
    data_error("{}: pattern {} is {}, expected a text that is not empty", where, key, pattern.at(key).dump());
  return pattern.at(key).get<std::string>();
}

}  // namespace

std::unique_ptr<Pattern> word_pattern_gpt2() { return std::make_unique<HandPattern>(WordPattern::gpt2); }

std::unique_ptr<Pattern> pattern_of(const nlohmann::json& pattern, const std::string& where) {
  if (pattern.is_object() && pattern.size() == 1 && pattern.contains("String"))
    return std::make_unique<LiteralPattern>(member(pattern, "String", where));
  if (!pattern.is_object() || pattern.size() != 1 || !pattern.contains("Regex"))
    data_error("{}: pattern is {}, expected {{\"String\": text}} or {{\"Regex\": expression}}", where, pattern.dump().substr(0, 60));
  const std::string expression = member(pattern, "Regex", where);
  for (const WordPattern known : {WordPattern::gpt2, WordPattern::qwen2, WordPattern::llama3})
    if (expression == expression_of(known)) return std::make_unique<HandPattern>(known);
  return expression_pattern(expression, where);
}

std::string replace_all(std::string_view text, const Pattern& pattern, std::string_view content) {
  std::vector<Match> matches;
  pattern.find_all(text, matches);
  std::string out;
  out.reserve(text.size() + matches.size() * content.size());
  size_t done = 0;
  for (const Match& match : matches) {
    out.append(text.substr(done, match.begin - done)).append(content);
    done = match.end;
  }
  return out.append(text.substr(done));
}

}  // namespace tsrun::text
