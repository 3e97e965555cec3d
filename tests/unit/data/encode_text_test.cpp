#include "tsrun/data/batch.h"
#include "tsrun/data/builtin.h"
#include "unit/data/byte_level.h"
#include "unit/data/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
constexpr int64_t kNone = no_target;

Task asked(std::vector<std::pair<std::string, std::string>> rows) {
  Task task;
  task.name = "t";
  task.kind = TaskKind::text_to_text;
  task.metrics = {"accuracy"};
  task.splits["train"].name = "train";
  for (const auto& [prompt, answer] : rows) {
    Example& example = task.splits["train"].examples.emplace_back();
    example.first = prompt;
    example.answers = {answer, "never trained on"};
  }
  return task;
}

EncodedSplit causal_rows(const Task& task, const Tokenizer& tokenizer, int64_t max_length = 32, int64_t max_answer = 64) {
  EncodeOptions options{max_length, ModelKind::causal};
  options.max_answer_length = max_answer;
  return encode_split(task, task.split("train"), tokenizer, options);
}

TEST(EncodeCausalAnswers, TrainOnTheAnswer_AndItsEnd) {
  const EncodedSplit encoded = causal_rows(asked({{"ab", "cd"}}), *tiny_byte_level());
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 2, 0, 3, 4, 7));
  EXPECT_THAT(encoded.token_targets[0], ElementsAre(kNone, 0, 3, 4, 7, kNone));
  EXPECT_THAT(encoded.prompts, ElementsAre(2));
  EXPECT_THAT(encoded.rows[0].segments, ElementsAre(0, 0, 0, 0, 0, 0));
}

TEST(EncodeCausalAnswers, PutABlankBetween_OnlyWhereThereIsNone) {
  const EncodedSplit encoded = causal_rows(asked({{"a ", "b"}, {"a", " b"}, {"", "b"}, {"a", ""}}), *tiny_byte_level());
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 0, 2, 7));
  EXPECT_THAT(encoded.rows[1].ids, ElementsAre(1, 0, 2, 7));
  EXPECT_THAT(encoded.rows[2].ids, ElementsAre(2, 7));
  EXPECT_THAT(encoded.rows[3].ids, ElementsAre(1, 7));
  EXPECT_THAT(encoded.prompts, ElementsAre(2, 1, 0, 1));
}

TEST(EncodeAcceptedAnswers, MakesARowForEachThatDiffers) {
  Task task = asked({{"a", "b"}, {"b", "c"}, {"c", "d"}});
  auto& examples = task.splits["train"].examples;
  examples[0].answers = {"b", "c", "b"};
  examples[1].answers = {"c"};
  examples[2].answers = {"d", "a", "c"};
  for (const ModelKind model_kind : {ModelKind::causal, ModelKind::encoder_decoder}) {
    EncodeOptions options{32, model_kind};
    options.all_answers = true;
    const auto tokenizer = tiny_byte_level();
    const EncodedSplit encoded = encode_split(task, task.split("train"), *tokenizer, options);
    EXPECT_THAT(encoded.examples, ElementsAre(0, 0, 1, 2, 2, 2));
    EXPECT_THAT(encoded.alternatives, ElementsAre(0, 2, 3, 6));
    EXPECT_EQ(encoded.epoch_size(), 3);
    options.all_answers = false;
    const EncodedSplit first = encode_split(task, task.split("train"), *tokenizer, options);
    EXPECT_EQ(first.epoch_size(), 3);
    EXPECT_EQ(first.token_targets[2], encoded.token_targets[3]);
    EXPECT_EQ(first.rows[2].ids.size(), encoded.rows[3].ids.size());
  }
}

TEST(EncodeAcceptedAnswers, AreNoAlternatives_WhereEachExampleHasOne) {
  Task task = asked({{"a", "b"}, {"b", "c"}});
  for (Example& example : task.splits["train"].examples) example.answers.resize(1);
  EncodeOptions options{32, ModelKind::causal};
  options.all_answers = true;
  const EncodedSplit encoded = encode_split(task, task.split("train"), *tiny_byte_level(), options);
  EXPECT_TRUE(encoded.alternatives.empty());
  EXPECT_EQ(encoded.row_at(1, Key::root(1)), 1);
}

TEST(EncodeAcceptedAnswers, AreDrawnEvenly_ByTheKeyAlone) {
  EncodedSplit split;
  split.rows.resize(6);
  split.alternatives = {0, 2, 3, 6};
  std::vector<int> seen(6, 0);
  for (uint64_t i = 0; i < 3000; ++i)
    for (int64_t place = 0; place < 3; ++place) ++seen[static_cast<size_t>(split.row_at(place, Key::root(i)))];
  EXPECT_NEAR(seen[0], 1500, 120);
  EXPECT_EQ(seen[2], 3000);
  for (size_t row = 3; row < 6; ++row) EXPECT_NEAR(seen[row], 1000, 120);
  EXPECT_EQ(split.row_at(2, Key::root(5)), split.row_at(2, Key::root(5)));
}

TEST(EncodeCausalAnswers, CutAPromptAtItsBeginning_BehindTheBeginToken) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a", "b", "c"});
  const EncodedSplit encoded = causal_rows(asked({{"a b c", "b"}}), *tokenizer, 4);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 5, 4, 2));
  EXPECT_THAT(encoded.token_targets[0], ElementsAre(kNone, 4, 2, kNone));
  EXPECT_THAT(encoded.prompts, ElementsAre(2));
}

TEST(EncodeCausalAnswers, CutAnAnswer_AndKeepItsEnd) {
  const Task task = asked({{"aa", "bcde"}});
  EXPECT_THAT(causal_rows(task, *tiny_byte_level(), 32, 3).rows[0].ids, ElementsAre(1, 1, 0, 2, 7));
  const EncodedSplit tight = causal_rows(task, *tiny_byte_level(), 4);
  EXPECT_THAT(tight.rows[0].ids, ElementsAre(1, 0, 2, 7));
  EXPECT_THAT(tight.prompts, ElementsAre(1));
}

TEST(EncodeCausalAnswers, RefuseLengthsWithoutRoom) {
  const Task task = asked({{"a", "b"}});
  EXPECT_EQ(failure([&] { causal_rows(task, *tiny_byte_level(), 1); }, ErrorKind::user),
            "max_length is 1, expected at least 2 (a prompt and the end token of its answer)");
  EXPECT_EQ(failure([&] { causal_rows(task, *tiny_byte_level(), 8, 0); }, ErrorKind::user), "max_answer_length is 0, expected at least 1");
  EXPECT_THAT(failure([&] { causal_rows(task, *tiny_byte_level(false)); }, ErrorKind::user),
              HasSubstr("neither an end token nor a separator"));
}

TEST(EncodeCausalAnswers, LeaveOffTheEnd_ThatTheTokenizerAdds) {
  const auto tokenizer = make_builtin_tokenizer("t5-mini");
  const EncodedSplit encoded = causal_rows(asked({{"the", "yes"}}), *tokenizer);
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(tokenizer->tokenize("the")[0], tokenizer->tokenize("yes")[0], 1));
}

TEST(EncodeDecodedAnswers, StandInTheDecodersRow_BehindItsStart) {
  const auto tokenizer = make_builtin_tokenizer("t5-mini");
  Task task = asked({{"the the", "yes no"}});
  task.answer_prefix = "<extra_id_0>";
  EncodeOptions options{2, ModelKind::encoder_decoder};
  const EncodedSplit encoded = encode_split(task, task.split("train"), *tokenizer, options);
  const int64_t the = tokenizer->tokenize("the")[0], yes = tokenizer->tokenize("yes")[0], no = tokenizer->tokenize("no")[0],
                sentinel = tokenizer->id("<extra_id_0>").value();
  EXPECT_THAT(encoded.rows[0].ids, ElementsAre(the, 1));
  EXPECT_THAT(encoded.decoder_rows[0], ElementsAre(0, sentinel, yes, no));
  EXPECT_THAT(encoded.token_targets[0], ElementsAre(sentinel, yes, no, 1));
  EXPECT_THAT(encoded.prompts, ElementsAre(2));
  options.max_answer_length = 2;
  options.decoder_start = 5;
  const EncodedSplit cut = encode_split(task, task.split("train"), *tokenizer, options);
  EXPECT_THAT(cut.decoder_rows[0], ElementsAre(5, sentinel));
  EXPECT_THAT(cut.token_targets[0], ElementsAre(sentinel, 1));
}

TEST(EncodeDecodedAnswers, AreTheSame_InManyRowsAndThreads) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (int row = 0; row < 500; ++row)
    rows.emplace_back(std::string(static_cast<size_t>(row % 17), 'a'), std::string(static_cast<size_t>(row % 5), 'b'));
  const auto tokenizer = tiny_byte_level();
  const EncodedSplit all = causal_rows(asked(rows), *tokenizer);
  for (const size_t row : {0u, 77u, 255u, 499u}) {
    const EncodedSplit one = causal_rows(asked({rows[row]}), *tokenizer);
    EXPECT_EQ(one.rows[0].ids, all.rows[row].ids);
    EXPECT_EQ(one.token_targets[0], all.token_targets[row]);
    EXPECT_EQ(all.examples[row], static_cast<int64_t>(row));
  }
}

}  // namespace
}  // namespace tsrun
