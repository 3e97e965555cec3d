#include "data/rows.h"
#include "tsrun/base/error.h"
#include "tsrun/data/words.h"

#include <algorithm>

namespace tsrun::data {
namespace {

/// Encodes prompts and answers as rows.
class AnswerEncoder {
 public:
  AnswerEncoder(const Task& task, const Tokenizer& tokenizer, const EncodeOptions& options)
      : task_(task), options_(options), frame_(frame_of(tokenizer)), blanks_(needs_blanks(tokenizer)) {
    const auto end = end_token(tokenizer);
    if (!end) user_error("task '{}': the tokenizer has neither an end token nor a separator, expected one to end answers", task.name);
    end_ = *end;
    // A first token of an answer is guessed from the token before it, so one place is the prompt's.
    context_ = std::max<int64_t>(1, static_cast<int64_t>(frame_.begin.size()));
    if (options.max_answer_length < 1) user_error("max_answer_length is {}, expected at least 1", options.max_answer_length);
    if (options.model_kind == ModelKind::causal && options.max_length <= context_)
      user_error("max_length is {}, expected at least {} (a prompt and the end token of its answer)", options.max_length, context_ + 1);
  }

  /// Text of the answer behind `prompt`, with a leading space where needed.
  std::string answer_text(const std::string& prompt, const std::string& answer) const {
    const std::string text = task_.answer_prefix + answer;
    if (options_.model_kind != ModelKind::causal || prompt.empty() || text.empty() || ends_blank(prompt) || begins_blank(text)) return text;
    return blanks_ ? " " + text : text;
  }

  void add(std::span<const int64_t> prompt, Ids answer, EncodedSplit& into) const {
    const bool causal = options_.model_kind == ModelKind::causal;
    int64_t room = options_.max_answer_length - 1;
    if (causal) room = std::min(room, options_.max_length - context_ - 1);
    answer.resize(std::min(answer.size(), static_cast<size_t>(room)));
    causal ? add_causal(prompt, std::move(answer), into) : add_decoded(std::move(answer), into);
  }

 private:
  static bool ends_blank(std::string_view text) { return stripped(text).end() != text.end(); }
  static bool begins_blank(std::string_view text) { return stripped(text).begin() != text.begin(); }

  void add_causal(std::span<const int64_t> prompt, Ids answer, EncodedSplit& into) const {
    answer.push_back(end_);
    const auto room = static_cast<size_t>(options_.max_length) - frame_.begin.size() - answer.size();
    Ids ids = frame_.begin;
    append_ids(ids, prompt.last(std::min(prompt.size(), room)));
    const size_t context = ids.size();
    append_ids(ids, answer);
    Ids targets(ids.size(), no_target);
    for (size_t at = std::max<size_t>(context, 1); at < ids.size(); ++at) targets[at - 1] = ids[at];
    into.prompts.push_back(static_cast<int64_t>(context));
    into.token_targets.push_back(std::move(targets));
    Encoding& row = into.rows.emplace_back();
    row.segments.assign(ids.size(), 0);
    row.ids = std::move(ids);
  }

  void add_decoded(Ids answer, EncodedSplit& into) const {
    Ids& row = into.decoder_rows.emplace_back(1, options_.decoder_start);
    append_ids(row, answer);
    answer.push_back(end_);
    into.token_targets.push_back(std::move(answer));
  }

  const Task& task_;
  const EncodeOptions& options_;
  RowFrame frame_;
  int64_t end_ = 0, context_ = 1;
  bool blanks_;
};

/// Rows of an encoder-decoder's encoder; each prompt is encoded once for all of its answers.
void add_prompts(const Split& split, std::span<const int64_t> examples, const Tokenizer& tokenizer, int64_t max_length,
                 EncodedSplit& into) {
  std::vector<std::string> prompts;
  for (const Example& example : split.examples) prompts.push_back(example.first);
  const std::vector<Encoding> rows = encode_batch(tokenizer, prompts, {}, max_length);
  for (const int64_t example : examples) {
    into.rows.push_back(rows[static_cast<size_t>(example)]);
    into.prompts.push_back(static_cast<int64_t>(into.rows.back().ids.size()));
  }
}

}  // namespace

EncodedSplit encode_answers(const Task& task, const Split& split, std::span<const Answer> answers, const Tokenizer& tokenizer,
                            const EncodeOptions& options) {
  const AnswerEncoder encoder(task, tokenizer, options);
  const bool causal = options.model_kind == ModelKind::causal;
  std::vector<std::string> prompts, texts;
  for (const Answer& answer : answers) texts.push_back(encoder.answer_text(answer.example->first, answer.text));
  for (const Example& example : split.examples) prompts.push_back(causal ? example.first : "");
  const std::vector<Ids> prompt_ids = tokenize_all(tokenizer, prompts);
  std::vector<Ids> answer_ids = tokenize_all(tokenizer, texts);
  EncodedSplit encoded;
  for (size_t row = 0; row < answers.size(); ++row) {
    const int64_t example = answers[row].example - split.examples.data();
    encoded.examples.push_back(example);
    encoded.targets.push_back(answers[row].target);
    encoder.add(prompt_ids[static_cast<size_t>(example)], std::move(answer_ids[row]), encoded);
  }
  if (!causal) add_prompts(split, encoded.examples, tokenizer, options.max_length, encoded);
  return encoded;
}

}  // namespace tsrun::data
