#include "text/piece_steps.h"

#include "text/byte_alphabet.h"
#include "text/characters.h"
#include "text/utf8_units.h"
#include "text/word_class.h"
#include "text/word_split.h"

#include <array>

namespace tsrun::text {
namespace {

class BlankStep : public PreTokenizer {
 public:
  void operator()(Pieces& pieces) const override {
    for (Piece& piece : pieces.parts)
      if (piece.text.front() != ' ') piece.text = pieces.texts.emplace_back(" " + std::string(piece.text));
  }
};

class Gpt2WordsStep : public PreTokenizer {
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

enum class BertClass : uint8_t { word, space, punctuation };

BertClass bert_class(UChar32 c) {
  if (bert::is_whitespace(c)) return BertClass::space;
  return bert::is_punctuation(c) ? BertClass::punctuation : BertClass::word;
}

std::array<BertClass, 128> ascii_bert_classes() {
  std::array<BertClass, 128> classes{};
  for (size_t c = 0; c < classes.size(); ++c) classes[c] = bert_class(static_cast<UChar32>(c));
  return classes;
}

class BertWordsStep : public PreTokenizer {
 public:
  void operator()(Pieces& pieces) const override {
    std::vector<Piece> out;
    for (const Piece& piece : pieces.parts) {
      out.reserve(out.size() + piece.text.size() / 4 + 1);
      cut(piece, out);
    }
    pieces.parts = std::move(out);
  }

 private:
  void cut(const Piece& piece, std::vector<Piece>& out) const {
    const std::string_view text = piece.text;
    size_t word = 0;
    const auto push = [&](size_t begin, size_t end) {
      if (end > begin) out.push_back({text.substr(begin, end - begin), piece.at_start && begin == 0});
    };
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      const UChar32 c = next_character(text, at);
      const BertClass kind = c >= 0 && c < 128 ? ascii_[static_cast<size_t>(c)] : bert_class(c);
      if (kind == BertClass::word) continue;
      push(word, begin);
      if (kind == BertClass::punctuation) push(begin, at);
      word = at;
    }
    push(word, text.size());
  }

  std::array<BertClass, 128> ascii_ = ascii_bert_classes();
};

class AlphabetStep : public PreTokenizer {
 public:
  void operator()(Pieces& pieces) const override {
    for (Piece& piece : pieces.parts) piece.text = pieces.texts.emplace_back(to_byte_alphabet(piece.text));
  }
};

class FixedLengthStep : public PreTokenizer {
 public:
  explicit FixedLengthStep(size_t length) : length_(length) {}
  void operator()(Pieces& pieces) const override {
    std::vector<Piece> out;
    for (const Piece& piece : pieces.parts) {
      for (size_t at = 0; at < piece.text.size();) {
        const size_t begin = at;
        for (size_t left = length_; left > 0 && at < piece.text.size(); --left) next_character(piece.text, at);
        out.push_back({piece.text.substr(begin, at - begin), piece.at_start && begin == 0});
      }
    }
    pieces.parts = std::move(out);
  }

 private:
  size_t length_;
};

class MetaspaceStep : public PreTokenizer {
 public:
  MetaspaceStep(std::string replacement, PrefixScheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {}

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
    const bool wanted = scheme_ == PrefixScheme::always || (scheme_ == PrefixScheme::first && piece.at_start);
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
  PrefixScheme scheme_;
  bool split_;
};

/// Single characters for which `belongs` holds.
template <class Belongs>
class CharacterPattern : public Pattern {
 public:
  explicit CharacterPattern(Belongs belongs) : belongs_(belongs) {}
  void find_all(std::string_view text, std::vector<Match>& matches) const override {
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      if (belongs_(next_character(text, at))) matches.push_back({begin, at});
    }
  }

 private:
  Belongs belongs_;
};

template <class Belongs>
std::unique_ptr<Pattern> character_pattern(Belongs belongs) {
  return std::make_unique<CharacterPattern<Belongs>>(belongs);
}

/// Letters that are younger than the linked ICU are word characters too.
BertClass run_class(UChar32 c) {
  if (bert::is_word_character(c) || word_class(c) == WordClass::letter) return BertClass::word;
  return bert::is_whitespace(c) ? BertClass::space : BertClass::punctuation;
}

class WordRunsPattern : public Pattern {
 public:
  void find_all(std::string_view text, std::vector<Match>& matches) const override {
    BertClass last = BertClass::space;
    for (size_t at = 0; at < text.size();) {
      const size_t begin = at;
      const BertClass kind = run_class(next_character(text, at));
      if (kind != BertClass::space && kind == last) matches.back().end = at;
      if (kind != BertClass::space && kind != last) matches.push_back({begin, at});
      last = kind;
    }
  }
};

}  // namespace

std::unique_ptr<PreTokenizer> blank_step() { return std::make_unique<BlankStep>(); }
std::unique_ptr<PreTokenizer> gpt2_words_step() { return std::make_unique<Gpt2WordsStep>(); }
std::unique_ptr<PreTokenizer> bert_words_step() { return std::make_unique<BertWordsStep>(); }
std::unique_ptr<PreTokenizer> alphabet_step() { return std::make_unique<AlphabetStep>(); }
std::unique_ptr<PreTokenizer> fixed_length_step(size_t length) { return std::make_unique<FixedLengthStep>(length); }
std::unique_ptr<PreTokenizer> metaspace_step(std::string replacement, PrefixScheme scheme, bool split) {
  return std::make_unique<MetaspaceStep>(std::move(replacement), scheme, split);
}

std::unique_ptr<Pattern> space_pattern() { return character_pattern(bert::is_whitespace); }
std::unique_ptr<Pattern> number_pattern() {
  return character_pattern([](UChar32 c) { return word_class(c) == WordClass::number; });
}
std::unique_ptr<Pattern> punctuation_pattern() { return character_pattern(bert::is_punctuation); }
std::unique_ptr<Pattern> word_runs_pattern() { return std::make_unique<WordRunsPattern>(); }

}  // namespace tsrun::text
