#include "builtin_tasks.h"
#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/data/builtin.h"
#include "tsrun/text/document.h"

#include <algorithm>
#include <sstream>

namespace tsrun {
namespace {

constexpr const char* kBegin = "\u2581";  ///< marks a token that begins a word, as SentencePiece writes it
constexpr int kSentinels = 20;

std::unique_ptr<Tokenizer> bert_tokenizer() {
  std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (const std::string_view word : data::builtin::function_words()) vocabulary.emplace_back(word);
  for (const std::string_view ending : {data::builtin::plural_noun, data::builtin::plural_verb})
    vocabulary.push_back("##" + std::string(ending));
  vocabulary.insert(vocabulary.end(), data::builtin::stems().begin(), data::builtin::stems().end());
  return make_wordpiece(std::move(vocabulary));
}

/// Tokens in the order of their ids, each once.
class TokenList {
 public:
  void add(const std::string& token) {
    if (std::find(tokens_.begin(), tokens_.end(), token) == tokens_.end()) tokens_.push_back(token);
  }
  void add_word(const std::string& word) { add(kBegin + word); }
  const std::vector<std::string>& all() const { return tokens_; }

 private:
  std::vector<std::string> tokens_;
};

/// The words of a prompt, without its columns and the colons behind words.
void add_prompt_words(const std::string& prompt, TokenList& tokens) {
  std::istringstream words(prompt);
  for (std::string word; words >> word;) {
    if (word.ends_with(':')) word.pop_back();
    if (!word.starts_with('{')) tokens.add_word(word);
  }
}

std::vector<std::string> word_tokens() {
  TokenList tokens;
  for (const std::string_view word : data::builtin::function_words()) tokens.add_word(std::string(word));
  for (const std::string_view part : {data::builtin::plural_noun, data::builtin::plural_verb, std::string_view("."), std::string_view("?"),
                                      std::string_view(","), std::string_view(":")})
    tokens.add(std::string(part));
  for (const std::string& stem : data::builtin::stems()) tokens.add_word(stem);
  for (const data::builtin::Plan& plan : data::builtin::plans()) {
    add_prompt_words(plan.verbaliser.prompt, tokens);
    for (const std::string& answer : plan.verbaliser.answers) tokens.add_word(answer);
  }
  for (int fifth = 0; fifth <= 25; ++fifth) tokens.add_word(fmt::format("{:.1f}", fifth / 5.0));
  return tokens.all();
}

/// Every token of words has the same score, so a word is cut into as few as possible.
nlohmann::json builtin_document(bool with_end) {
  nlohmann::json vocabulary = nlohmann::json::array(), added = nlohmann::json::array();
  const auto add_special = [&](const std::string& token) {
    added.push_back(special_entry(token, static_cast<int64_t>(vocabulary.size())));
    vocabulary.push_back({token, 0.0});
  };
  for (const char* token : {"<pad>", "</s>", "<unk>"}) add_special(token);
  for (const std::string& token : word_tokens()) vocabulary.push_back({token, -1.0});
  for (int number = 0; number < kSentinels; ++number) add_special(fmt::format("<extra_id_{}>", number));
  const nlohmann::json metaspace = {{"type", "Metaspace"}, {"replacement", kBegin}, {"prepend_scheme", "always"}, {"split", true}};
  const nlohmann::json normalizer = {
      {"type", "BertNormalizer"}, {"clean_text", true}, {"handle_chinese_chars", true}, {"strip_accents", nullptr}, {"lowercase", true}};
  return {{"version", "1.0"},
          {"added_tokens", added},
          {"normalizer", normalizer},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {{{"type", "WhitespaceSplit"}}, metaspace}}}},
          {"post_processor", with_end ? begin_end_rows({}, {"</s>", 1}, 0) : nlohmann::json()},
          {"decoder", metaspace},
          {"model", {{"type", "Unigram"}, {"unk_id", 2}, {"vocab", vocabulary}}}};
}

}  // namespace

std::unique_ptr<Tokenizer> make_builtin_tokenizer(std::string_view model) {
  static const std::vector<std::string> models = {"bert-mini", "gpt-mini", "t5-mini"};
  if (std::find(models.begin(), models.end(), model) == models.end())
    user_error("unknown built-in model '{}'{}, expected one of {}", model, did_you_mean(model, models), join_words(models));
  if (model == models[0]) return bert_tokenizer();
  const SpecialRoles roles = {{SpecialToken::padding, "<pad>"}, {SpecialToken::end, "</s>"}, {SpecialToken::unknown, "<unk>"}};
  return make_tokenizer(builtin_document(model == models[2]), roles, "builtin:" + std::string(model));
}

}  // namespace tsrun
