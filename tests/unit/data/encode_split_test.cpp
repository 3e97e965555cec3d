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

Task with_rows(TaskKind kind, std::vector<Example> examples) {
  Task task;
  task.name = "t";
  task.kind = kind;
  task.metrics = {"accuracy"};
  task.splits["train"] = {"train", std::move(examples), 0, ""};
  return task;
}

std::string refusal_of(const Task& task, ModelKind model_kind) {
  EncodeOptions options;
  options.model_kind = model_kind;
  const auto tokenizer = make_builtin_tokenizer();
  return failure([&] { encode_split(task, task.split("train"), *tokenizer, options); }, ErrorKind::user);
}

TEST(EncodeSplit, KeepsOrder_AndTruncatesPairs) {
  const auto tokenizer = make_wordpiece({"[UNK]", "[CLS]", "[SEP]", "a", "b"});
  const Task task = with_rows(TaskKind::classification, {{"a a a", "b b", 1, 0, {}, {}, {}}, {"b", {}, 0, 1, {}, {}, {}}});
  for (const ModelKind model_kind : {ModelKind::encoder, ModelKind::causal}) {
    EncodeOptions options{6, model_kind};
    const EncodedSplit encoded = encode_split(task, task.split("train"), *tokenizer, options);
    EXPECT_THAT(encoded.rows[0].ids, ElementsAre(1, 3, 3, 2, 4, 2));
    EXPECT_THAT(encoded.rows[1].ids, ElementsAre(1, 4, 2));
    EXPECT_THAT(encoded.targets, ElementsAre(1, 0));
    EXPECT_THAT(encoded.examples, ElementsAre(0, 1));
    EXPECT_TRUE(encoded.token_targets.empty() && encoded.prompts.empty() && encoded.bytes.empty() && encoded.decoder_rows.empty());
  }
}

TEST(EncodeSplit, NamesWhatCouldRead_ATaskOfTheWrongKind) {
  EXPECT_EQ(refusal_of(with_rows(TaskKind::classification, {}), ModelKind::encoder_decoder),
            "task 't' is a classification, which an encoder-decoder cannot read; expected an encoder or a causal model, or the task as "
            "text_to_text");
  EXPECT_EQ(refusal_of(with_rows(TaskKind::token_classification, {}), ModelKind::encoder_decoder),
            "task 't' is a token_classification, which an encoder-decoder cannot read; expected an encoder or a causal model");
  for (const TaskKind kind : {TaskKind::text_to_text, TaskKind::multiple_choice})
    EXPECT_THAT(refusal_of(with_rows(kind, {}), ModelKind::encoder),
                HasSubstr("which an encoder cannot read; expected a causal model or an encoder-decoder"));
}

TEST(EncodeSplit, RefusesAnObjective_ThatAModelIsNotMadeFor) {
  Task task = with_rows(TaskKind::language_modelling, {});
  EXPECT_THAT(refusal_of(task, ModelKind::encoder_decoder), HasSubstr("expected an encoder or a causal model"));
  task.objective = Objective::masked;
  EXPECT_EQ(refusal_of(task, ModelKind::causal),
            "task 't' is a language_modelling (masked), which a causal model cannot read; expected an encoder");
  task.objective = Objective::causal;
  EXPECT_EQ(refusal_of(task, ModelKind::encoder),
            "task 't' is a language_modelling (causal), which an encoder cannot read; expected a causal model");
}

TEST(EncodeSplit, GivesNoRows_OfASplitWithoutExamples) {
  const auto tokenizer = make_builtin_tokenizer("t5-mini");
  const auto size = [&](TaskKind kind, ModelKind model_kind) {
    const Task task = with_rows(kind, {});
    EncodeOptions options{32, model_kind};
    return encode_split(task, task.split("train"), *tokenizer, options).size();
  };
  EXPECT_EQ(size(TaskKind::classification, ModelKind::encoder), 0);
  EXPECT_EQ(size(TaskKind::token_classification, ModelKind::encoder), 0);
  EXPECT_EQ(size(TaskKind::text_to_text, ModelKind::encoder_decoder), 0);
  EXPECT_EQ(size(TaskKind::text_to_text, ModelKind::causal), 0);
  EXPECT_EQ(size(TaskKind::language_modelling, ModelKind::causal), 0);
}

TEST(EncodeOptions, GivesARow_ForEveryOptionAndExample) {
  const auto tokenizer = tiny_byte_level();
  const Task task = with_rows(TaskKind::multiple_choice, {{"a", {}, 1, 0, {"b", "c"}, {}, {}}, {"e", {}, 0, 1, {"d", "e", "a"}, {}, {}}});
  EncodeOptions options{16, ModelKind::causal};
  const EncodedSplit encoded = encode_options(task, task.split("train"), *tokenizer, options);
  ASSERT_EQ(encoded.size(), 5);
  EXPECT_THAT(encoded.targets, ElementsAre(0, 1, 0, 1, 2));
  EXPECT_THAT(encoded.examples, ElementsAre(0, 0, 1, 1, 1));
  EXPECT_THAT(encoded.rows[1].ids, ElementsAre(1, 0, 3, 7));
  const EncodedSplit right = encode_split(task, task.split("train"), *tokenizer, options);
  EXPECT_EQ(right.rows[0].ids, encoded.rows[1].ids);
  EXPECT_EQ(right.token_targets[1], encoded.token_targets[2]);
  EXPECT_THAT(right.targets, ElementsAre(1, 0));
}

TEST(EncodeOptions, TakesTheLabels_OfAClassificationToldInWords) {
  const Task task = as_text_to_text(make_builtin_task("entailment"));
  const auto tokenizer = make_builtin_tokenizer("t5-mini");
  EncodeOptions options{64, ModelKind::encoder_decoder};
  const EncodedSplit encoded = encode_options(task, task.split("dev"), *tokenizer, options);
  EXPECT_EQ(encoded.size(), 3 * static_cast<int64_t>(task.split("dev").examples.size()));
  EXPECT_EQ(encoded.rows[0].ids, encoded.rows[2].ids);
  EXPECT_NE(encoded.decoder_rows[0], encoded.decoder_rows[2]);
}

TEST(EncodeOptions, RefusesATask_WithoutOptions) {
  const auto tokenizer = tiny_byte_level();
  const Task task = with_rows(TaskKind::text_to_text, {});
  EXPECT_THAT(failure([&] { encode_options(task, task.split("train"), *tokenizer, {}); }, ErrorKind::user),
              HasSubstr("expected a multiple_choice, or a text_to_text whose labels are listed"));
}

}  // namespace
}  // namespace tsrun
