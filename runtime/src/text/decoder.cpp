#include "text/decoder.h"

#include "text/byte_alphabet.h"
#include "text/byte_fallback.h"
#include "text/json_fields.h"
#include "text/normal_steps.h"
#include "text/pattern.h"
#include "text/utf8_units.h"
#include "tsrun/base/error.h"
#include "tsrun/text/utf8.h"

#include <algorithm>
#include <memory>

namespace tsrun::text {
namespace {

using Json = nlohmann::json;
using Tokens = std::vector<std::string>;

std::string joined(const Tokens& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

void decode_bytes(Tokens& tokens) {
  std::string bytes, storage;
  for (const std::string& token : tokens) bytes += from_byte_alphabet(token).value_or(token);
  tokens = {std::string(well_formed(bytes, storage))};
}

/// Each run of byte tokens becomes the text that it spells, or one U+FFFD a byte where it spells none.
void decode_byte_tokens(Tokens& tokens) {
  Tokens out;
  std::string run;
  const auto finish = [&] {
    if (run.empty()) return;
    if (find_invalid_utf8(run)) {
      for (size_t left = run.size(); left > 0; --left) out.emplace_back("\uFFFD");
    } else {
      out.push_back(run);
    }
    run.clear();
  };
  for (std::string& token : tokens) {
    const auto byte = byte_of_token(token);
    if (byte) run.push_back(*byte);
    if (byte) continue;
    finish();
    out.push_back(std::move(token));
  }
  finish();
  tokens = std::move(out);
}

std::string without(std::string_view text, const std::string& part, std::string_view instead) {
  std::string out;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part)) {
    out.append(text.substr(0, at)).append(instead);
    text.remove_prefix(at + part.size());
  }
  return out.append(text);
}

Decoder metaspace_decoder(const Json& json, const std::string& where) {
  expect_keys(json, {"replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"}, "decoder Metaspace", where);
  const std::string replacement = text_field(json, "replacement", where).value_or("\u2581");
  if (replacement.empty()) data_error("{}: decoder Metaspace has an empty replacement, expected a character", where);
  const bool always = flag_field(json, "add_prefix_space", where).value_or(true);
  const bool prefixed = text_field(json, "prepend_scheme", where).value_or(always ? "always" : "never") != "never";
  return [replacement, prefixed](Tokens& tokens) {
    for (size_t at = 0; at < tokens.size(); ++at) tokens[at] = without(tokens[at], replacement, at == 0 && prefixed ? "" : " ");
  };
}

Decoder replace_decoder(const Json& json, const std::string& where) {
  expect_keys(json, {"pattern", "content"}, "decoder Replace", where);
  const std::shared_ptr<Pattern> pattern = pattern_of(json.value("pattern", Json()), where + ": decoder Replace");
  return [pattern, content = text_field(json, "content", where).value_or("")](Tokens& tokens) {
    for (std::string& token : tokens) token = replace_all(token, *pattern, content);
  };
}

Decoder strip_decoder(const Json& json, const std::string& where) {
  expect_keys(json, {"content", "start", "stop"}, "decoder Strip", where);
  const std::string content = text_field(json, "content", where).value_or(" ");
  const int64_t start = integer_field(json, "start", where).value_or(0), stop = integer_field(json, "stop", where).value_or(0);
  if (content.empty()) data_error("{}: decoder Strip has an empty content, expected a character", where);
  return [content, start, stop](Tokens& tokens) {
    for (std::string& token : tokens) {
      for (int64_t left = start; left > 0 && token.starts_with(content); --left) token.erase(0, content.size());
      for (int64_t left = stop; left > 0 && token.ends_with(content); --left) token.erase(token.size() - content.size());
    }
  };
}

/// The suffix that ends a word becomes a blank, at the end of the text nothing.
Decoder bpe_decoder(const Json& json, const std::string& where) {
  expect_keys(json, {"suffix"}, "decoder BPEDecoder", where);
  const std::string suffix = text_field(json, "suffix", where).value_or("</w>");
  if (suffix.empty()) data_error("{}: decoder BPEDecoder has an empty suffix, expected a text", where);
  return [suffix](Tokens& tokens) {
    for (size_t at = 0; at < tokens.size(); ++at) tokens[at] = without(tokens[at], suffix, at + 1 < tokens.size() ? " " : "");
  };
}

Decoder sequence_decoder(const Json& json, const std::string& where) {
  expect_keys(json, {"decoders"}, "decoder Sequence", where);
  const Json parts = json.value("decoders", Json());
  if (!parts.is_array()) data_error("{}: decoder Sequence has no decoders, expected an array", where);
  std::vector<Decoder> steps;
  for (const Json& part : parts) steps.push_back(decoder_of(part, where));
  return [steps](Tokens& tokens) {
    for (const Decoder& step : steps) step(tokens);
  };
}

/// As a whole decoded text, and "do not" as well.
std::string clean_up_token(const std::string& token) {
  constexpr std::pair<const char*, const char*> kChanges[] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                                              {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                                              {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  std::string text = token;
  for (const auto& [from, to] : kChanges) text = without(text, from, to);
  return text;
}

/// Blanks between words, none before punctuation where `cleanup` is set.
Decoder wordpiece_decoder(const Json& json, const std::string& where) {
  expect_keys(json, {"prefix", "cleanup"}, "decoder WordPiece", where);
  const std::string continuation = text_field(json, "prefix", where).value_or("##");
  const bool cleanup = flag_field(json, "cleanup", where).value_or(true);
  return [continuation, cleanup](Tokens& tokens) {
    for (size_t at = 0; at < tokens.size(); ++at) {
      const bool continues = !continuation.empty() && tokens[at].starts_with(continuation);
      if (at > 0) tokens[at] = continues ? tokens[at].substr(continuation.size()) : " " + tokens[at];
      if (cleanup) tokens[at] = clean_up_token(tokens[at]);
    }
  };
}

Decoder ctc_decoder(const Json& json, const std::string& where) {
  expect_keys(json, {"pad_token", "word_delimiter_token", "cleanup"}, "decoder CTC", where);
  const std::string padding = text_field(json, "pad_token", where).value_or("<pad>");
  const std::string delimiter = text_field(json, "word_delimiter_token", where).value_or("|");
  const bool cleanup = flag_field(json, "cleanup", where).value_or(true);
  if (padding.empty() || delimiter.empty()) data_error("{}: decoder CTC has an empty token, expected a text", where);
  return [padding, delimiter, cleanup](Tokens& tokens) {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    for (std::string& token : tokens) {
      token = without(token, padding, "");
      if (cleanup) token = without(clean_up_token(token), delimiter, " ");
    }
  };
}

}  // namespace

std::string clean_up_spaces(std::string text) {
  constexpr std::pair<const char*, const char*> kChanges[] = {{" .", "."},     {" ?", "?"},     {" !", "!"},   {" ,", ","},
                                                              {" ' ", "'"},    {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"},
                                                              {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kChanges) text = without(text, from, to);
  return text;
}

Decoder decoder_of(const Json& decoder, const std::string& where) {
  if (decoder.is_null()) {
    return [](Tokens& tokens) {
      for (size_t at = 1; at < tokens.size(); ++at) tokens[at].insert(0, " ");
    };
  }
  const std::string type = text_field(decoder, "type", where + ": decoder").value_or("");
  if (type == "Sequence") return sequence_decoder(decoder, where);
  if (type == "Metaspace") return metaspace_decoder(decoder, where);
  if (type == "Replace") return replace_decoder(decoder, where);
  if (type == "Strip") return strip_decoder(decoder, where);
  if (type == "BPEDecoder") return bpe_decoder(decoder, where);
  if (type == "CTC") return ctc_decoder(decoder, where);
  if (type == "WordPiece") return wordpiece_decoder(decoder, where);
  if (type == "ByteLevel") {
    expect_keys(decoder, {"add_prefix_space", "trim_offsets", "use_regex"}, "decoder ByteLevel", where);
    return decode_bytes;
  }
  if (type != "ByteFallback" && type != "Fuse")
    data_error(
        "{}: decoder is of type '{}', which is not supported; supported are Sequence, Metaspace, Replace, Strip, BPEDecoder, CTC, "
        "WordPiece, ByteLevel, ByteFallback and Fuse",
        where, type);
  expect_keys(decoder, {}, "decoder " + type, where);
  if (type == "ByteFallback") return decode_byte_tokens;
  return [](Tokens& tokens) { tokens = {joined(tokens)}; };
}

std::string decoded_text(const Decoder& decoder, std::vector<std::string> tokens) {
  decoder(tokens);
  return joined(tokens);
}

}  // namespace tsrun::text
