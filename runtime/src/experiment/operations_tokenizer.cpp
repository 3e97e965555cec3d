#include "experiment/artifacts.h"
#include "experiment/task_model.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/suggest.h"
#include "tsrun/checkpoint/folder.h"
#include "tsrun/experiment/lab.h"

/// The operation `tokenizer.train`: a tokenizer of a task's text.
namespace tsrun {

namespace experiment {
namespace {

using nlohmann::json;

OptionTable tokenizer_options() {
  return {
      {.name = "task", .type = OptionType::artifact, .doc = "task whose text it is trained on", .required = true, .choices = {"task"}},
      {.name = "kind",
       .type = OptionType::choice,
       .fallback = "byte_bpe",
       .doc = "byte_bpe: byte-level BPE over GPT-2's words; words: whole words between white space, unknown ones <unk>",
       .choices = {"byte_bpe", "words"}},
      {.name = "vocabulary_size",
       .type = OptionType::integer,
       .doc = "most tokens, special ones included; absent: 8000 of byte_bpe, every word of words",
       .minimum = 1,
       .maximum = 4'000'000},
      {.name = "min_frequency",
       .type = OptionType::integer,
       .fallback = 1,
       .doc = "least occurrences of a word, or of a merged pair",
       .minimum = 1},
      {.name = "special_tokens",
       .type = OptionType::table,
       .fallback = json::object(),
       .doc = "beside those of the kind (words: eos_token = \"<eos>\", unk_token = \"<unk>\"; byte_bpe: GPT-2's eos_token), or in "
              "their place: bos_token, pad_token, cls_token, sep_token, mask_token"},
      {.name = "line_end", .type = OptionType::boolean, .fallback = false, .doc = "words: a line's end inside a text is the end token"},
      {.name = "add_eos_token",
       .type = OptionType::boolean,
       .fallback = false,
       .doc = "a row of a task ends with the end token, as a T5 reads it (documents of language modelling end with it in any case)"},
      {.name = "split", .type = OptionType::text, .fallback = "train", .doc = "split whose text is read"},
  };
}

SpecialRoles special_roles(const Options& o) {
  SpecialRoles roles = {{SpecialToken::end, "<|endoftext|>"}};
  if (o.text("kind") == "words") roles = {{SpecialToken::end, "<eos>"}, {SpecialToken::unknown, "<unk>"}};
  std::vector<std::string> known;
  for (const auto& [role, key] : kRoleKeys) known.emplace_back(key);
  for (const auto& [name, token] : o.value("special_tokens").items()) {
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end())
      user_error("tokenizer.train: special_tokens has '{}'{}, expected {}", name, did_you_mean(name, known), join_words(known));
    if (!token.is_string()) user_error("tokenizer.train: special token '{}' is {}, expected text", name, token.dump());
    roles[kRoleKeys[found - known.begin()].first] = token.get<std::string>();
  }
  return roles;
}

struct TokenizerRequest {
  TaskRef task;
  std::string split;
  bool words = false;
  TokenizerTraining training;
  json inputs;

  static TokenizerRequest from(const Options& o);
  std::unique_ptr<Tokenizer> train() const;
  /// Of a plan: words are counted; of byte_bpe what was asked for.
  TokenizerFacts planned() const;
};

TokenizerRequest TokenizerRequest::from(const Options& o) {
  TokenizerRequest request{.task = TaskRef::from_json(o.value("task")),
                           .split = o.text("split"),
                           .words = o.text("kind") == "words",
                           .training = {.min_frequency = o.integer("min_frequency"),
                                        .special = special_roles(o),
                                        .line_ends = o.flag("line_end"),
                                        .end_rows = o.flag("add_eos_token")},
                           .inputs = o.json()};
  request.task.require(request.split);
  constexpr int64_t usual = 8000;
  request.training.vocabulary_size = o.has("vocabulary_size") ? o.integer("vocabulary_size") : request.words ? 0 : usual;
  request.inputs["vocabulary_size"] = request.training.vocabulary_size;
  request.inputs["task"] = request.task.identity();
  return request;
}

std::unique_ptr<Tokenizer> TokenizerRequest::train() const {
  const std::vector<std::string> texts = texts_of(task_of(task).split(split));
  return words ? train_words(texts, training) : train_byte_bpe(texts, training);
}

TokenizerFacts TokenizerRequest::planned() const {
  if (words) return facts_of(*train());
  TokenizerTraining bytes = training;
  bytes.vocabulary_size = 256 + static_cast<int64_t>(training.special.size());
  const std::vector<std::string> some = {"a"};
  TokenizerFacts facts = facts_of(*train_byte_bpe(some, bytes));
  facts.vocabulary_size = training.vocabulary_size;
  return facts;
}

/// vocab.json and merges.txt of a byte_bpe, beside its tokenizer.json.
void write_bpe_files(const std::filesystem::path& folder) {
  const json model = read_json(folder / "tokenizer.json").at("model");
  std::string merges = "#version: 0.2\n";
  for (const json& pair : model.at("merges")) merges += pair.at(0).get<std::string>() + " " + pair.at(1).get<std::string>() + "\n";
  write_durable(folder / "vocab.json", model.at("vocab").dump() + "\n");
  write_durable(folder / "merges.txt", merges);
}

json summary_of(const TokenizerRequest& request, const TokenizerFacts& facts) {
  return {{"kind", request.words ? "words" : "byte_bpe"}, {"vocabulary_size", facts.vocabulary_size}, {"special", facts.special}};
}

json train_into(const TokenizerRequest& request, const std::filesystem::path& out) {
  const auto tokenizer = request.train();
  tokenizer->save(out);
  if (!request.words) write_bpe_files(out);
  return summary_of(request, facts_of(*tokenizer));
}

json run_train_tokenizer(Lab& lab, const Options& o) {
  const TokenizerRequest request = TokenizerRequest::from(o);
  const json plan = lab.settings().plan_only ? summary_of(request, request.planned()) : json();
  return lab.stage({"tokenizer", {{"options", request.inputs}}}, lab.title_of("tokenizer of " + request.task.name), plan,
                   [&](const auto& out, const auto&) { return train_into(request, out); });
}

}  // namespace

}  // namespace experiment

std::vector<Operation> tokenizer_operations() {
  return {{.name = "tokenizer.train",
           .doc = "A tokenizer of a task's text, for ts.architecture: Hugging Face's files, and vocabulary_size.",
           .options = experiment::tokenizer_options(),
           .result = "tokenizer",
           .run = experiment::run_train_tokenizer,
           .on_device = false,
           .named = true}};
}

}  // namespace tsrun
