#include "tsrun/train/pretrain.h"

#include "train/masking.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "unit/train/child_process.h"
#include "unit/train/toy.h"

#include <gtest/gtest.h>

#include <csignal>

namespace tsrun::training {
namespace {

namespace fs = std::filesystem;

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

PretrainJob pretrain_job(int steps, const fs::path& work = {}) {
  return {.start = start(), .lines = lines(), .options = options(steps), .key = Key::root(1), .title = "toy", .work = work};
}

TEST(Pretrain, LearnsToFillGaps) {
  const PretrainResult result = pretrain(pretrain_job(120));
  ASSERT_EQ(result.losses.size(), 20U);
  EXPECT_LT(result.losses.back(), 0.6 * result.losses.front());
  EXPECT_GT(result.held_out_accuracy, 0.5);
}

TEST(Pretrain, GivesTheSameWeights_ForTheSameKey) {
  const PretrainResult a = pretrain(pretrain_job(5)), b = pretrain(pretrain_job(5));
  for (const auto& name : a.model.weights.names()) EXPECT_TRUE(at::equal(a.model.weights.at(name), b.model.weights.at(name))) << name;
}

/// Leaves weights and losses in `folder`.
void pretrain_into(const fs::path& folder) {
  PretrainJob asked = pretrain_job(60, folder / "work");
  asked.checkpoint_every = 7;  // within an interval of the losses
  const PretrainResult result = pretrain(std::move(asked));
  save_weights(result.model.weights, folder / "weights.safetensors");
  write_durable(folder / "losses.json", nlohmann::json{result.losses, result.held_out_loss, result.held_out_accuracy}.dump());
}

TEST(PretrainChild, DISABLED_Pretrains) { toy::act_as_child(pretrain_into); }

TEST(PretrainChild, DISABLED_PretrainsWithASignal) {
  toy::act_as_child([](const fs::path& folder) {
    watch_interrupts();
    std::raise(SIGTERM);
    pretrain_into(folder);
  });
}

int pretrain_in_child(const fs::path& folder, const std::string& how = "Pretrains") {
  return toy::wait_for(toy::start_child("PretrainChild.DISABLED_" + how, folder));
}

void expect_same_model(const fs::path& a, const fs::path& b) {
  for (const char* file : {"weights.safetensors", "losses.json"}) EXPECT_TRUE(toy::bytes_of(a / file) == toy::bytes_of(b / file)) << file;
}

TEST(Pretrain, ResumesBitEqual_AfterAKill) {
  const toy::Scratch scratch;
  const fs::path whole = scratch.path() / "whole", killed = scratch.path() / "killed";
  ASSERT_EQ(pretrain_in_child(whole), 0);
  const pid_t child = toy::start_child("PretrainChild.DISABLED_Pretrains", killed);
  toy::wait_for_file(child, killed / "work/step-000014/manifest.json");
  ::kill(child, SIGKILL);
  ASSERT_EQ(toy::wait_for(child), 128 + SIGKILL);
  ASSERT_EQ(pretrain_in_child(killed), 0);
  expect_same_model(whole, killed);
}

TEST(Pretrain, WritesACheckpointAndContinues_AfterAnInterrupt) {
  const toy::Scratch scratch;
  const fs::path whole = scratch.path() / "whole", stopped = scratch.path() / "stopped";
  ASSERT_EQ(pretrain_in_child(whole), 0);
  EXPECT_EQ(pretrain_in_child(stopped, "PretrainsWithASignal"), 130);
  EXPECT_TRUE(fs::exists(stopped / "work/step-000000/manifest.json"));
  ASSERT_EQ(pretrain_in_child(stopped), 0);
  expect_same_model(whole, stopped);
}

TEST(Pretrain, RefusesACheckpointOfOtherLines) {
  const toy::Scratch scratch;
  PretrainJob first = pretrain_job(3, scratch.path()), second = pretrain_job(3, scratch.path());
  first.checkpoint_every = 2;
  second.lines.front() += " day";
  pretrain(std::move(first));
  try {
    pretrain(std::move(second));
    FAIL() << "went on from a checkpoint of other lines";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("lines: "), std::string::npos) << error.what();
  }
}

PackedRows two_rows(const Tokenizer& tokenizer) {
  EncodedSplit split;
  split.rows = {tokenizer.encode("the film was good and the plot was great"), tokenizer.encode("so", "bad")};
  split.targets = {0, 0};
  const std::vector<int64_t> rows = {0, 1};
  return pack_batch(split, rows);
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
}  // namespace tsrun::training
