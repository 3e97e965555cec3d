#include "text/pre_tokenizer.h"

#include "text/json_fields.h"
#include "text/normal_steps.h"
#include "text/piece_steps.h"
#include "text/split_step.h"
#include "text/utf8_units.h"
#include "tsrun/base/error.h"

#include <utility>

namespace tsrun::text {
namespace {

using Json = nlohmann::json;

void add_byte_level(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"add_prefix_space", "trim_offsets", "use_regex"}, "pre_tokenizer ByteLevel", where);
  if (flag_field(json, "add_prefix_space", where).value_or(true)) parts.steps.push_back(blank_step());
  if (flag_field(json, "use_regex", where).value_or(true)) parts.steps.push_back(gpt2_words_step());
  parts.bytes = true;
}

SplitBehavior behavior_of(const Json& json, const char* fallback, const std::string& what, const std::string& where) {
  const std::string name = text_field(json, "behavior", where).value_or(fallback);
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  data_error("{}: {} has behavior '{}', expected 'Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext' or 'Contiguous'", where,
             what, name);
}

void push_split(PreTokenizerParts& parts, std::unique_ptr<Pattern> pattern, SplitBehavior behavior, bool invert = false) {
  parts.steps.push_back(std::make_unique<SplitStep>(std::move(pattern), behavior, invert));
}

void add_split(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"pattern", "behavior", "invert"}, "pre_tokenizer Split", where);
  auto pattern = pattern_of(json.value("pattern", Json()), where + ": pre_tokenizer Split");
  const bool invert = flag_field(json, "invert", where).value_or(false);
  push_split(parts, std::move(pattern), behavior_of(json, "", "pre_tokenizer Split", where), invert);
}

void add_punctuation(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"behavior"}, "pre_tokenizer Punctuation", where);
  push_split(parts, punctuation_pattern(), behavior_of(json, "Isolated", "pre_tokenizer Punctuation", where));
}

void add_delimiter(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"delimiter"}, "pre_tokenizer CharDelimiterSplit", where);
  const std::string delimiter = text_field(json, "delimiter", where).value_or("");
  size_t end = 0;
  if (!delimiter.empty()) next_character(delimiter, end);
  if (delimiter.empty() || end != delimiter.size())
    data_error("{}: pre_tokenizer CharDelimiterSplit has delimiter '{}', expected one character", where, delimiter);
  push_split(parts, pattern_of({{"String", delimiter}}, where), SplitBehavior::removed);
}

void add_fixed_length(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"length"}, "pre_tokenizer FixedLength", where);
  const int64_t length = integer_field(json, "length", where).value_or(5);
  if (length < 1) data_error("{}: pre_tokenizer FixedLength has length {}, expected 1 or more", where, length);
  parts.steps.push_back(fixed_length_step(static_cast<size_t>(length)));
}

PrefixScheme scheme_of(const Json& json, const std::string& where) {
  const bool always = flag_field(json, "add_prefix_space", where).value_or(true);
  const std::string scheme = text_field(json, "prepend_scheme", where).value_or(always ? "always" : "never");
  if (!always && scheme != "never")
    data_error("{}: Metaspace has add_prefix_space false and prepend_scheme '{}', expected 'never'", where, scheme);
  if (scheme == "always") return PrefixScheme::always;
  if (scheme == "first") return PrefixScheme::first;
  if (scheme != "never") data_error("{}: Metaspace has prepend_scheme '{}', expected 'always', 'first' or 'never'", where, scheme);
  return PrefixScheme::never;
}

void add_metaspace(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"}, "pre_tokenizer Metaspace", where);
  const std::string replacement = text_field(json, "replacement", where).value_or("\u2581");
  if (replacement.empty()) data_error("{}: pre_tokenizer Metaspace has an empty replacement, expected a character", where);
  const bool split = flag_field(json, "split", where).value_or(true);
  const PrefixScheme scheme = scheme_of(json, where);
  parts.asks_for_start |= scheme == PrefixScheme::first;
  parts.steps.push_back(metaspace_step(replacement, scheme, split));
}

void add_digits(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"individual_digits"}, "pre_tokenizer Digits", where);
  const auto behavior = flag_field(json, "individual_digits", where).value_or(false) ? SplitBehavior::isolated : SplitBehavior::contiguous;
  push_split(parts, number_pattern(), behavior);
}

void add_step(const Json& json, const std::string& where, PreTokenizerParts& parts);

void add_sequence(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  expect_keys(json, {"pretokenizers"}, "pre_tokenizer Sequence", where);
  const Json steps = json.value("pretokenizers", Json());
  if (!steps.is_array()) data_error("{}: pre_tokenizer Sequence has no pretokenizers, expected an array", where);
  for (const Json& step : steps) add_step(step, where, parts);
}

struct StepEntry {
  const char* type;
  void (*add)(const Json& json, const std::string& where, PreTokenizerParts& parts);
};
constexpr StepEntry kSteps[] = {{"Sequence", add_sequence},
                                {"ByteLevel", add_byte_level},
                                {"Split", add_split},
                                {"Metaspace", add_metaspace},
                                {"Digits", add_digits},
                                {"Punctuation", add_punctuation},
                                {"CharDelimiterSplit", add_delimiter},
                                {"FixedLength", add_fixed_length}};
constexpr const char* kPlainSteps = "Whitespace, WhitespaceSplit and BertPreTokenizer";

void add_step(const Json& json, const std::string& where, PreTokenizerParts& parts) {
  if (json.is_null()) return;
  const std::string type = text_field(json, "type", where + ": pre_tokenizer").value_or("");
  if (type != "Sequence") spell_bytes(parts);
  for (const StepEntry& entry : kSteps)
    if (type == entry.type) return entry.add(json, where, parts);
  if (type != "Whitespace" && type != "WhitespaceSplit" && type != "BertPreTokenizer") {
    std::string known;
    for (const StepEntry& entry : kSteps) known += std::string(entry.type) + ", ";
    data_error("{}: pre_tokenizer is of type '{}', which is not supported; supported are {}{}", where, type, known, kPlainSteps);
  }
  expect_keys(json, {}, "pre_tokenizer " + type, where);
  if (type == "BertPreTokenizer") return parts.steps.push_back(bert_words_step());
  if (type == "WhitespaceSplit") return push_split(parts, space_pattern(), SplitBehavior::removed);
  push_split(parts, word_runs_pattern(), SplitBehavior::removed, true);
}

}  // namespace

void spell_bytes(PreTokenizerParts& parts) {
  if (std::exchange(parts.bytes, false)) parts.steps.push_back(alphabet_step());
}

PreTokenizerParts pre_tokenizer_of(const Json& pre_tokenizer, const std::string& where) {
  PreTokenizerParts parts;
  add_step(pre_tokenizer, where, parts);
  return parts;
}

}  // namespace tsrun::text
