#include "text/tokenizer_class.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>

namespace tsrun::text {
namespace {

std::string base_name(std::string name) {
  constexpr std::string_view kFast = "Fast";
  if (name.ends_with(kFast)) name.erase(name.size() - kFast.size());
  return name;
}

/// The class that transformers registers for a model type; types that it gives none, or none of those below, are absent.
const std::map<std::string, std::string>& registered_classes() {
  static const std::map<std::string, std::string> classes = {
      {"bert", "BertTokenizer"},        {"distilbert", "BertTokenizer"}, {"electra", "BertTokenizer"},
      {"ernie", "BertTokenizer"},       {"convbert", "BertTokenizer"},   {"layoutlm", "BertTokenizer"},
      {"roberta", "RobertaTokenizer"},  {"bart", "RobertaTokenizer"},    {"longformer", "RobertaTokenizer"},
      {"gpt2", "GPT2Tokenizer"},        {"gpt_neo", "GPT2Tokenizer"},    {"gptj", "GPT2Tokenizer"},
      {"opt", "GPT2Tokenizer"},         {"phi", "GPT2Tokenizer"},        {"qwen2", "Qwen2Tokenizer"},
      {"qwen3", "Qwen2Tokenizer"},      {"t5", "T5Tokenizer"},           {"mt5", "T5Tokenizer"},
      {"mistral", "TokenizersBackend"}, {"umt5", "TokenizersBackend"},   {"xlm-roberta", "XLMRobertaTokenizer"}};
  return classes;
}

/// Classes with conventions of their own, the names that stand for others among them.
const std::map<std::string, TokenizerClass>& known_classes() {
  static const TokenizerClass bert{"bert"}, roberta{"roberta"};
  static const std::map<std::string, TokenizerClass> classes = {{"BertTokenizer", bert},          {"ElectraTokenizer", bert},
                                                                {"MobileBertTokenizer", bert},    {"SqueezeBertTokenizer", bert},
                                                                {"LayoutLMTokenizer", bert},      {"LxmertTokenizer", bert},
                                                                {"DistilBertTokenizer", bert},    {"ConvBertTokenizer", {"bert", false}},
                                                                {"RobertaTokenizer", roberta},    {"BartTokenizer", roberta},
                                                                {"LongformerTokenizer", roberta}, {"LEDTokenizer", roberta},
                                                                {"GPT2Tokenizer", {"gpt2"}},      {"Qwen2Tokenizer", {"qwen2"}},
                                                                {"T5Tokenizer", {"t5"}},          {"XLMRobertaTokenizer", {"xlm-roberta"}},
                                                                {"LlamaTokenizer", {"llama"}}};
  return classes;
}

TokenizerClass known_class(const std::string& name) {
  const auto found = known_classes().find(name);
  return found == known_classes().end() ? TokenizerClass{} : found->second;
}

std::string registered_class(const std::string& model_type) {
  const auto found = registered_classes().find(model_type);
  return found == registered_classes().end() ? "" : found->second;
}

}  // namespace

TokenizerClass tokenizer_class_of(const StatedClass& stated) {
  const std::string hub = base_name(stated.tokenizer_class), registered = registered_class(stated.model_type);
  // Checkpoints of Qwen2 are known to name wrong classes for their byte-level files.
  const bool trusted = stated.model_type != "qwen2" || stated.word_piece_file;
  if (hub == "LlamaTokenizer" && stated.byte_level_file && stated.model_type != "mistral" && trusted) return {};
  if (hub.empty()) return known_class(registered);
  if (registered.empty() || registered == hub) return known_class(hub);
  if (registered == "TokenizersBackend") return {};
  return known_class(trusted ? hub : registered);
}

std::string family_of_model_type(const std::string& model_type) {
  if (model_type == "llama" || model_type == "mistral") return "llama";
  if (model_type == "umt5") return "t5";
  return known_class(registered_class(model_type)).family;
}

}  // namespace tsrun::text
