#pragma once

#include <string>
#include <string_view>

namespace tsrun::text {

/// BERT's text normalization, in this order: control characters are removed and white space becomes ' '; ideographs get spaces around them;
/// the text is decomposed (NFD) and loses its nonspacing marks; lower case, character by character. The result is always well-formed UTF-8.
class BertNormalizer {
 public:
  struct Steps {
    bool clean_text = true;
    bool split_cjk = true;
    bool strip_accents = true;
    bool lower_case = true;
  };
  explicit BertNormalizer(Steps steps) : steps_(steps) {}
  std::string operator()(std::string_view text) const;
  const Steps& steps() const { return steps_; }

 private:
  std::string normalize_ascii(std::string_view text) const;
  std::string normalize_unicode(std::string_view text) const;

  Steps steps_;
};

}  // namespace tsrun::text
