#include "text/pre_tokenizer.h"

#include "text/json_fields.h"
#include "text/normal_steps.h"
#include "text/split_step.h"
#include "text/utf8_units.h"
#include "text/word_class.h"
#include "text/word_split.h"
#include "tsrun/base/error.h"

namespace tsrun {
namespace {

using Json = nlohmann::json;

/// Puts a blank before each piece that does not start with one.
class BlankStep : public PreTokenizer {
 public:
  void operator()(Pieces& pieces) const override {
    for (Piece& piece : pieces.parts)
      if (piece.text.front() != ' ') piece.text = pieces.texts.emplace_back(" " + std::string(piece.text));
  }
};

/// GPT-2's words, without the detour over matches.
class WordsStep : public PreTokenizer {
 public:
  void operator()(Pieces& pieces) const override {
    std::vector<Piece> out;
    for (const Piece& piece : pieces.parts) {
      out.reserve(out.size() + piece.text.size() / 4);
      for (size_t at = 0, end = 0; at < piece.text.size(); at = end) {
        end = word_end(WordPattern::gpt2, piece.text, at);
        out.push_back({piece.text.substr(at, end - at), piece.at_start && at == 0});
      }
    }
    pieces.parts = std::move(out);
  }
};

enum class Prepend { always, first, never };

/// Blanks become a visible character, and one goes before a piece; pieces are cut before each.
class MetaspaceStep : public PreTokenizer {
 public:
  MetaspaceStep(std::string replacement, Prepend prepend, bool split)
      : replacement_(std::move(replacement)), prepend_(prepend), split_(split) {}

  void operator()(Pieces& pieces) const override {
    std::vector<Piece> out;
    for (const Piece& piece : pieces.parts) {
      const Piece visible{pieces.texts.emplace_back(make_visible(piece)), piece.at_start};
      split_ ? cut(visible, out) : out.push_back(visible);
    }
    pieces.parts = std::move(out);
  }

 private:
  std::string make_visible(const Piece& piece) const {
    std::string text;
    text.reserve(piece.text.size() + piece.text.size() / 2 + replacement_.size());
    const bool wanted = prepend_ == Prepend::always || (prepend_ == Prepend::first && piece.at_start);
    if (wanted && piece.text.front() != ' ' && !piece.text.starts_with(replacement_)) text = replacement_;
    for (const char c : piece.text) c == ' ' ? text.append(replacement_) : text.append(1, c);
    return text;
  }

  void cut(const Piece& piece, std::vector<Piece>& out) const {
    for (size_t begin = 0, end = 0; begin < piece.text.size(); begin = end) {
      end = std::min(piece.text.find(replacement_, begin + 1), piece.text.size());
      out.push_back({piece.text.substr(begin, end - begin), piece.at_start && begin == 0});
    }
  }

  std::string replacement_;
  Prepend prepend_;
  bool split_;
};

/// Characters of one class.
class ClassPattern : public Pattern {
 public:
  explicit ClassPattern(WordClass kind) : kind_(kind) {}
  void find_all(std::string_view text, std::vector<Match>& matches) const override {
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      if (word_class(next_character(text, at)) == kind_) matches.push_back({begin, at});
    }
  }

 private:
  WordClass kind_;
};

void add_byte_level(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"add_prefix_space", "trim_offsets", "use_regex"}, "pre_tokenizer ByteLevel", where);
  if (flag_field(json, "add_prefix_space", where).value_or(true)) parts.steps.push_back(std::make_unique<BlankStep>());
  if (flag_field(json, "use_regex", where).value_or(true)) parts.steps.push_back(std::make_unique<WordsStep>());
  parts.bytes = true;
}

SplitBehavior behavior_of(const Json& json, const std::string& where) {
  const std::string name = text_field(json, "behavior", where).value_or("");
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  data_error("{}: pre_tokenizer Split has behavior '{}', which is not supported", where, name);
}

void add_split(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"pattern", "behavior", "invert"}, "pre_tokenizer Split", where);
  auto pattern = pattern_of(json.value("pattern", Json()), where + ": pre_tokenizer Split");
  const bool invert = flag_field(json, "invert", where).value_or(false);
  parts.steps.push_back(std::make_unique<SplitStep>(std::move(pattern), behavior_of(json, where), invert));
}

Prepend prepend_of(const Json& json, const std::string& where) {
  const bool always = flag_field(json, "add_prefix_space", where).value_or(true);
  const std::string scheme = text_field(json, "prepend_scheme", where).value_or(always ? "always" : "never");
  if (!always && scheme != "never")
    data_error("{}: Metaspace has add_prefix_space false and prepend_scheme '{}', expected 'never'", where, scheme);
  if (scheme == "always") return Prepend::always;
  if (scheme == "first") return Prepend::first;
  if (scheme != "never") data_error("{}: Metaspace has prepend_scheme '{}', expected 'always', 'first' or 'never'", where, scheme);
  return Prepend::never;
}

void add_metaspace(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"}, "pre_tokenizer Metaspace", where);
  const std::string replacement = text_field(json, "replacement", where).value_or("\u2581");
  if (replacement.empty()) data_error("{}: pre_tokenizer Metaspace has an empty replacement, expected a character", where);
  const bool split = flag_field(json, "split", where).value_or(true);
  const Prepend prepend = prepend_of(json, where);
  parts.asks_for_start |= prepend == Prepend::first;
  parts.steps.push_back(std::make_unique<MetaspaceStep>(replacement, prepend, split));
}

void add_digits(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"individual_digits"}, "pre_tokenizer Digits", where);
  const auto behavior = flag_field(json, "individual_digits", where).value_or(false) ? SplitBehavior::isolated : SplitBehavior::contiguous;
  parts.steps.push_back(std::make_unique<SplitStep>(std::make_unique<ClassPattern>(WordClass::number), behavior, false));
}

void add_step(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  if (json.is_null()) return;
  const std::string type = text_field(json, "type", where + ": pre_tokenizer").value_or("");
  if (parts.bytes) data_error("{}: pre_tokenizer '{}' comes after ByteLevel, which is not supported", where, type);
  if (type == "ByteLevel") return add_byte_level(json, where, parts);
  if (type == "Split") return add_split(json, where, parts);
  if (type == "Metaspace") return add_metaspace(json, where, parts);
  if (type == "Digits") return add_digits(json, where, parts);
  if (type == "WhitespaceSplit") {
    expect_keys(json, {}, "pre_tokenizer WhitespaceSplit", where);
    auto space = std::make_unique<ClassPattern>(WordClass::space);
    parts.steps.push_back(std::make_unique<SplitStep>(std::move(space), SplitBehavior::removed, false));
    return;
  }
  if (type != "Sequence") data_error("{}: pre_tokenizer is of type '{}', which is not supported", where, type);
  expect_keys(json, {"pretokenizers"}, "pre_tokenizer Sequence", where);
  const Json steps = json.value("pretokenizers", Json());
  if (!steps.is_array()) data_error("{}: pre_tokenizer Sequence has no pretokenizers, expected an array", where);
  for (const Json& step : steps) add_step(step, where, parts);
}

}  // namespace

PreTokenizerParts pre_tokenizer_of(const Json& pre_tokenizer, const std::string& where) {
  PreTokenizerParts parts;
  add_step(pre_tokenizer, where, parts);
  return parts;
}

}  // namespace tsrun
