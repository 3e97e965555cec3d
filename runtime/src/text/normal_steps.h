#pragma once

#include <nlohmann/json.hpp>

#include <memory>
#include <string>

namespace tsrun::text {

/// One step of a tokenizer.json's `normalizer`. Takes and gives well-formed UTF-8. Thread-safe.
class NormalStep {
 public:
  virtual ~NormalStep() = default;
  virtual std::string operator()(std::string text) const = 0;
};

/// Null gives no step. @throws Error(data) "`where`: …" naming a type that is not supported.
std::unique_ptr<NormalStep> normal_step_of(const nlohmann::json& normalizer, const std::string& where);

/// Refuses a normalizer that may drop the first character of a text, after which the reference no longer knows the text's start.
void expect_start_kept(const nlohmann::json& normalizer, const std::string& where);

/// Refuses fields other than "type" and `keys`, which could change the component's meaning.
void expect_keys(const nlohmann::json& component, std::initializer_list<const char*> keys, const std::string& what,
                 const std::string& where);

}  // namespace tsrun::text
