#include "text/normal_steps.h"

#include "text/base64.h"
#include "text/byte_alphabet.h"
#include "text/charsmap.h"
#include "text/json_fields.h"
#include "text/normalizer.h"
#include "text/pattern.h"
#include "tsrun/base/error.h"
#include "tsrun/text/unicode_steps.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <vector>

namespace tsrun::text {
namespace {

using Json = nlohmann::json;

template <class Body>
class BodyStep : public NormalStep {
 public:
  explicit BodyStep(Body body) : body_(std::move(body)) {}
  std::string operator()(std::string text) const override { return body_(std::move(text)); }

 private:
  Body body_;
};

template <class Body>
std::unique_ptr<NormalStep> step(Body body) {
  return std::make_unique<BodyStep<Body>>(std::move(body));
}

using Steps = std::vector<std::unique_ptr<NormalStep>>;

std::unique_ptr<NormalStep> sequence_step(const Json& normalizer, const std::string& where) {
  expect_keys(normalizer, {"normalizers"}, "normalizer Sequence", where);
  const Json parts = normalizer.value("normalizers", Json());
  if (!parts.is_array()) data_error("{}: normalizer Sequence has no normalizers, expected an array", where);
  auto steps = std::make_shared<Steps>();
  for (const Json& part : parts)
    if (auto one = normal_step_of(part, where)) steps->push_back(std::move(one));
  return step([steps](std::string text) {
    for (const auto& one : *steps) text = (*one)(std::move(text));
    return text;
  });
}

std::unique_ptr<NormalStep> prepend_step(const Json& normalizer, const std::string& where) {
  expect_keys(normalizer, {"prepend"}, "normalizer Prepend", where);
  return step(
      [prefix = text_field(normalizer, "prepend", where).value_or("")](std::string text) { return text.empty() ? text : prefix + text; });
}

std::unique_ptr<NormalStep> replace_step(const Json& normalizer, const std::string& where) {
  expect_keys(normalizer, {"pattern", "content"}, "normalizer Replace", where);
  const std::shared_ptr<Pattern> pattern = pattern_of(normalizer.value("pattern", Json()), where + ": normalizer Replace");
  return step([pattern, content = text_field(normalizer, "content", where).value_or("")](std::string text) {
    return replace_all(text, *pattern, content);
  });
}

std::unique_ptr<NormalStep> charsmap_step(const Json& normalizer, const std::string& where) {
  expect_keys(normalizer, {"precompiled_charsmap"}, "normalizer Precompiled", where);
  const auto bytes = from_base64(text_field(normalizer, "precompiled_charsmap", where).value_or(""));
  if (!bytes) data_error("{}: normalizer Precompiled: precompiled_charsmap is malformed, expected base64", where);
  if (bytes->empty()) return nullptr;
  const auto map = std::make_shared<Charsmap>(*bytes, where + ": normalizer Precompiled");
  return step([map](std::string text) { return (*map)(text); });
}

std::unique_ptr<NormalStep> strip_step(const Json& normalizer, const std::string& where) {
  expect_keys(normalizer, {"strip_left", "strip_right"}, "normalizer Strip", where);
  const bool left = flag_field(normalizer, "strip_left", where).value_or(true);
  const bool right = flag_field(normalizer, "strip_right", where).value_or(true);
  return step([left, right](const std::string& text) { return std::string(without_space(text, left, right)); });
}

std::unique_ptr<NormalStep> bert_step(const Json& normalizer, const std::string& where) {
  expect_keys(normalizer, {"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}, "normalizer BertNormalizer", where);
  BertNormalizer::Steps steps;
  steps.clean_text = flag_field(normalizer, "clean_text", where).value_or(true);
  steps.split_cjk = flag_field(normalizer, "handle_chinese_chars", where).value_or(true);
  steps.lower_case = flag_field(normalizer, "lowercase", where).value_or(true);
  steps.strip_accents = flag_field(normalizer, "strip_accents", where).value_or(steps.lower_case);
  return step([bert = BertNormalizer(steps)](const std::string& text) { return bert(text); });
}

std::unique_ptr<NormalStep> form_step(NormalForm form) {
  return step([form](const std::string& text) { return to_form(form, text); });
}

}  // namespace

void expect_keys(const Json& component, std::initializer_list<const char*> keys, const std::string& what, const std::string& where) {
  for (const auto& [key, value] : component.items()) {
    if (key == "type") continue;
    bool known = false;
    for (const char* one : keys) known |= key == one;
    const bool idle = value.is_null() || value == false;
    if (!known && !idle) data_error("{}: {} has '{}', which is not supported", where, what, key);
  }
}

void expect_start_kept(const Json& normalizer, const std::string& where) {
  if (normalizer.is_null()) return;
  const std::string type = normalizer.value("type", "");
  if (type == "Sequence")
    for (const Json& part : normalizer.at("normalizers")) expect_start_kept(part, where);
  const bool replaces = type == "Replace" && normalizer.value("content", "") != "";
  const bool keeps = type == "Sequence" || type == "Prepend" || type == "Lowercase" || type == "ByteLevel" || type.starts_with("NF");
  if (!replaces && !keeps) data_error("{}: prepend_scheme 'first' after normalizer {} is not supported", where, type);
}

std::unique_ptr<NormalStep> normal_step_of(const Json& normalizer, const std::string& where) {
  if (normalizer.is_null()) return nullptr;
  const std::string type = text_field(normalizer, "type", where + ": normalizer").value_or("");
  if (type == "Sequence") return sequence_step(normalizer, where);
  if (type == "Prepend") return prepend_step(normalizer, where);
  if (type == "Replace") return replace_step(normalizer, where);
  if (type == "Precompiled") return charsmap_step(normalizer, where);
  if (type == "Strip") return strip_step(normalizer, where);
  if (type == "BertNormalizer") return bert_step(normalizer, where);
  constexpr std::string_view kPlain[] = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"};
  if (std::find(std::begin(kPlain), std::end(kPlain), type) == std::end(kPlain))
    data_error(
        "{}: normalizer is of type '{}', which is not supported; supported are Sequence, Prepend, Replace, Precompiled, Strip, "
        "BertNormalizer, {}",
        where, type, fmt::join(kPlain, ", "));
  expect_keys(normalizer, {}, "normalizer " + type, where);
  if (type == "Lowercase") return step([](const std::string& text) { return to_lower(text); });
  if (type == "StripAccents") return step([](const std::string& text) { return without_accents(text); });
  if (type == "Nmt") return step([](const std::string& text) { return without_controls(text); });
  if (type == "ByteLevel") return step([](const std::string& text) { return to_byte_alphabet(text); });
  if (type == "NFC") return form_step(NormalForm::nfc);
  if (type == "NFD") return form_step(NormalForm::nfd);
  return form_step(type == "NFKC" ? NormalForm::nfkc : NormalForm::nfkd);
}

}  // namespace tsrun::text
