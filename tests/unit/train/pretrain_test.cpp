#include "tsrun/train/pretrain.h"

#include "train/masking.h"
#include "tsrun/base/error.h"
#include "unit/train/toy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

std::vector<std::string> lines() {
  std::vector<std::string> lines;
  for (int i = 0; i < 400; ++i)
    lines.push_back(i % 2 == 0 ? "the film was good and the plot was great" : "the day was bad\tso the plot was awful");
  return lines;
}

Model start() {
  const int64_t vocabulary = toy::tiny_bert().tokenizer->vocabulary_size();
  return toy::tiny_bert({HeadKind::masked_lm, vocabulary}, 0);
}

Options options(int steps) {
  return pretrain_options().resolve({{"steps", steps}, {"batch_size", 16}, {"lr", 0.01}, {"max_length", 32}}, "test");
}

TEST(Pretrain, LearnsToFillGaps) {
  const PretrainResult result = pretrain(start(), lines(), options(120), Key::root(1), at::kCPU, "toy");
  ASSERT_EQ(result.losses.size(), 20U);
  EXPECT_LT(result.losses.back(), 0.6 * result.losses.front());
  EXPECT_GT(result.held_out_accuracy, 0.5);
}

TEST(Pretrain, GivesTheSameWeights_ForTheSameKey) {
  const PretrainResult a = pretrain(start(), lines(), options(5), Key::root(1), at::kCPU, "toy");
  const PretrainResult b = pretrain(start(), lines(), options(5), Key::root(1), at::kCPU, "toy");
  for (const auto& name : a.model.weights.names()) EXPECT_TRUE(at::equal(a.model.weights.at(name), b.model.weights.at(name))) << name;
}

PackedRows two_rows(const Tokenizer& tokenizer) {
  EncodedSplit split;
  split.rows = {tokenizer.encode("the film was good and the plot was great"), tokenizer.encode("so", "bad")};
  split.targets = {0, 0};
  const std::vector<int64_t> rows = {0, 1};
  return pack(split, rows);
}

TEST(Masking, HidesAShareOfTheWords_NeverSpecialTokens) {
  const auto tokenizer = toy::tiny_bert().tokenizer;
  const Masking masking(*tokenizer, 0.15, Key::root(1));
  const PackedRows original = two_rows(*tokenizer);
  int64_t hidden = 0;
  for (int64_t epoch = 0; epoch < 400; ++epoch) {
    PackedRows rows = original;
    const auto targets = masking.apply(rows, epoch);
    for (size_t i = 0; i < targets.size(); ++i) {
      if (targets[i] < 0) {
        EXPECT_EQ(rows.ids[i], original.ids[i]);
        continue;
      }
      ++hidden;
      EXPECT_EQ(targets[i], original.ids[i]);
      EXPECT_NE(original.ids[i], *tokenizer->id("[CLS]"));
      EXPECT_NE(original.ids[i], *tokenizer->id("[SEP]"));
    }
  }
  // 9 words at 15 % (at least one) and 2 words with at least one: about 2.6 an epoch.
  EXPECT_NEAR(static_cast<double>(hidden) / 400, 2.6, 0.3);
}

TEST(BuiltinModel, NamesTheNearMiss) {
  try {
    pretrain_builtin("bert-mimi");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'bert-mini'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun
