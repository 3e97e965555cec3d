#include "tsrun/data/batch.h"
#include "tsrun/data/builtin.h"
#include "unit/data/failure.h"
#include "unit/data/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace tsrun {
namespace {

using ::testing::Contains;
using ::testing::Not;

class WritingModel : public TaskFolder, public ::testing::WithParamInterface<const char*> {
 protected:
  std::unique_ptr<Tokenizer> tokenizer_ = make_builtin_tokenizer(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Models, WritingModel, ::testing::Values("gpt-mini", "t5-mini"),
                         [](const auto& info) { return std::string(info.param, 2); });

TEST_P(WritingModel, SpellsEveryPromptAndAnswer) {
  const int64_t unknown = tokenizer_->special_id(SpecialToken::unknown).value();
  for (const std::string& name : builtin_task_names()) {
    const Task task = as_text_to_text(make_builtin_task(name));
    for (const auto& [split, rows] : task.splits) {
      for (const Example& example : rows.examples) {
        ASSERT_THAT(tokenizer_->tokenize(example.first), Not(Contains(unknown))) << example.first;
        const auto answer = tokenizer_->tokenize(example.answers[0]);
        ASSERT_EQ(answer.size(), 1u) << example.answers[0];
        ASSERT_NE(answer[0], unknown) << example.answers[0];
        ASSERT_EQ(tokenizer_->decode(answer, true), example.answers[0]);
      }
    }
  }
}

TEST_P(WritingModel, SpellsTheCorpus) {
  const int64_t unknown = tokenizer_->special_id(SpecialToken::unknown).value();
  for (const std::string& line : make_builtin_corpus(500)) {
    const auto ids = tokenizer_->tokenize(line);
    ASSERT_THAT(ids, Not(Contains(unknown))) << line;
    EXPECT_EQ(ids.size(), make_builtin_tokenizer()->tokenize(line).size()) << line;
  }
}

TEST_P(WritingModel, AddsAnEnd_OnlyForT5) {
  const bool t5 = std::string(GetParam()) == "t5-mini";
  EXPECT_EQ(tokenizer_->encode("the").ids.size(), t5 ? 2u : 1u);
  EXPECT_EQ(tokenizer_->encode("The").ids.back(), t5 ? tokenizer_->id("</s>").value() : tokenizer_->id("\u2581the").value());
  EXPECT_EQ(tokenizer_->special_id(SpecialToken::padding), 0);
  EXPECT_EQ(tokenizer_->special_id(SpecialToken::end), 1);
}

TEST_P(WritingModel, HasSentinels_ThatDecodingDrops) {
  std::set<int64_t> ids;
  for (int number = 0; number < 20; ++number) ids.insert(tokenizer_->id("<extra_id_" + std::to_string(number) + ">").value());
  EXPECT_EQ(ids.size(), 20u);
  const auto row = tokenizer_->tokenize("<extra_id_0>yes");
  EXPECT_EQ(row.size(), 2u);
  EXPECT_EQ(tokenizer_->decode(row, true), "yes");
  EXPECT_EQ(tokenizer_->decode(row, false).substr(0, 12), "<extra_id_0>");
}

TEST_P(WritingModel, IsReadBackEqual) {
  tokenizer_->save(folder_);
  const auto copy = load_tokenizer(folder_);
  ASSERT_EQ(copy->vocabulary_size(), tokenizer_->vocabulary_size());
  for (int64_t id = 0; id < copy->vocabulary_size(); ++id) EXPECT_EQ(copy->token(id), tokenizer_->token(id));
  for (const std::string text : {"<extra_id_3>Yes , the .", "strange w\u00F6rds: no?", "3.2 ", ""}) {
    EXPECT_EQ(copy->encode(text).ids, tokenizer_->encode(text).ids) << text;
    EXPECT_EQ(copy->decode(copy->tokenize(text), false), tokenizer_->decode(tokenizer_->tokenize(text), false)) << text;
  }
  for (const SpecialToken token : {SpecialToken::padding, SpecialToken::end, SpecialToken::unknown, SpecialToken::begin})
    EXPECT_EQ(copy->special_id(token), tokenizer_->special_id(token));
}

TEST(BuiltinTokenizer, HasTheSameWords_ForBothWritingModels) {
  const auto gpt = make_builtin_tokenizer("gpt-mini"), t5 = make_builtin_tokenizer("t5-mini");
  ASSERT_EQ(gpt->vocabulary_size(), t5->vocabulary_size());
  for (int64_t id = 0; id < gpt->vocabulary_size(); ++id) EXPECT_EQ(gpt->token(id), t5->token(id));
}

TEST(BuiltinTokenizer, NamesTheNearMiss_OfAnUnknownModel) {
  EXPECT_EQ(failure([] { make_builtin_tokenizer("t5-mni"); }, ErrorKind::user),
            "unknown built-in model 't5-mni' (did you mean 't5-mini'?), expected one of bert-mini, gpt-mini and t5-mini");
}

TEST(BuiltinTokenizer, MakesRowsOfEveryTask_ForBothWritingModels) {
  for (const std::string& name : builtin_task_names()) {
    const Task task = as_text_to_text(make_builtin_task(name));
    EncodeOptions options{64, ModelKind::encoder_decoder};
    EXPECT_EQ(encode_split(task, task.split("dev"), *make_builtin_tokenizer("t5-mini"), options).size(), 480) << name;
    options.model_kind = ModelKind::causal;
    const EncodedSplit causal = encode_split(task, task.split("dev"), *make_builtin_tokenizer("gpt-mini"), options);
    EXPECT_EQ(static_cast<int64_t>(causal.rows[0].ids.size()), causal.prompts[0] + 2) << name;
  }
}

}  // namespace
}  // namespace tsrun
