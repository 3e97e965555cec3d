#include "tsrun/train/loop.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "unit/train/toy.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tsrun {
namespace {

namespace fs = std::filesystem;

/// Adds up the numbers of its steps, evaluates every third, and stops where it is told to.
struct Counter final : LoopBody {
  int64_t sum = 0, evaluated_at = 0, begun_at = -1, steps_made = 0;
  std::vector<int64_t> evaluations, saves;
  int64_t throw_in_step = -1, throw_in_evaluation = -1, end_at = -1, made = 0;
  ErrorKind thrown = ErrorKind::interrupt;

  void save(Checkpoint& checkpoint) const override {
    checkpoint.state = {{"evaluated_at", evaluated_at}};
    checkpoint.tensors["sum"] = at::full({1}, sum, at::kLong);
  }
  void saved() override { saves.push_back(made); }
  void restore(const Checkpoint& checkpoint) override {
    evaluated_at = checkpoint.state.at("evaluated_at").get<int64_t>();
    sum = checkpoint.tensors.at("sum").item<int64_t>();
    made = checkpoint.step;
  }
  void begin(int64_t steps_done) override { begun_at = steps_done; }
  void step(int64_t step, Progress&) override {
    if (step == throw_in_step) throw Error(thrown, "stopped");
    sum += step;
    made = step + 1;
    ++steps_made;
  }
  void evaluate_if_due(int64_t steps_done, Progress&) override {
    if (steps_done % 3 != 0 || steps_done == evaluated_at) return;
    if (steps_done == throw_in_evaluation) throw Error(thrown, "stopped");
    evaluations.push_back(steps_done);
    evaluated_at = steps_done;
  }
  bool ended() const override { return made == end_at; }
};

LoopSettings ten_steps(const fs::path& work, int64_t checkpoint_every = 0) {
  LoopSettings settings;
  settings.title = "test";
  settings.steps = 10;
  settings.work = work;
  settings.identity = {{"lr", 1}};
  settings.checkpoint_every = checkpoint_every;
  return settings;
}

bool has_checkpoint(const fs::path& work, int64_t step) { return fs::exists(work / fmt::format("step-{:06}", step)); }

TEST(Loop, MakesEveryStepOnce_AndEvaluatesBetweenThem) {
  Counter body;
  EXPECT_EQ(run_loop(ten_steps({}), body), 10);
  EXPECT_EQ(body.begun_at, 0);
  EXPECT_EQ(body.sum, 45);
  EXPECT_EQ(body.evaluations, (std::vector<int64_t>{3, 6, 9}));
}

TEST(Loop, EndsEarly_WhenTheBodySays) {
  Counter body;
  body.end_at = 4;
  EXPECT_EQ(run_loop(ten_steps({}), body), 4);
  EXPECT_EQ(body.steps_made, 4);
}

TEST(Loop, KeepsTheNewestCheckpoints_NoneAfterTheLastStep) {
  const toy::Scratch scratch;
  Counter body;
  run_loop(ten_steps(scratch.path(), 2), body);
  EXPECT_EQ(body.saves, (std::vector<int64_t>{2, 4, 6, 8}));
  for (int64_t step = 0; step <= 10; ++step) EXPECT_EQ(has_checkpoint(scratch.path(), step), step == 6 || step == 8) << step;
}

TEST(Loop, ChecksItsClockAfterEveryStep_WhenThereIsNoPause) {
  const toy::Scratch scratch;
  Counter body;
  LoopSettings settings = ten_steps(scratch.path());
  settings.pause = std::chrono::milliseconds(0);
  settings.keep = 1;
  run_loop(settings, body);
  ASSERT_FALSE(body.saves.empty());
  EXPECT_EQ(body.saves.front(), 1);
}

TEST(Loop, GoesOnFromTheNewestCheckpoint_AfterAFailure) {
  const toy::Scratch scratch;
  Counter failed, again;
  failed.throw_in_step = 7;
  failed.thrown = ErrorKind::run;
  EXPECT_THROW(run_loop(ten_steps(scratch.path(), 3), failed), Error);
  EXPECT_FALSE(has_checkpoint(scratch.path(), 7));
  EXPECT_EQ(run_loop(ten_steps(scratch.path(), 3), again), 10);
  EXPECT_EQ(again.begun_at, 6);
  EXPECT_EQ(again.sum, 45);
  EXPECT_EQ(again.evaluations, (std::vector<int64_t>{9}));
}

TEST(Loop, EvaluatesAgain_AfterAnInterruptedEvaluation) {
  const toy::Scratch scratch;
  Counter stopped, again;
  stopped.throw_in_evaluation = 6;
  EXPECT_THROW(run_loop(ten_steps(scratch.path()), stopped), Error);
  EXPECT_TRUE(has_checkpoint(scratch.path(), 6));
  run_loop(ten_steps(scratch.path()), again);
  EXPECT_EQ(again.steps_made, 4);
  EXPECT_EQ(again.evaluations, (std::vector<int64_t>{6, 9}));
}

TEST(Loop, SavesAnInterruptedStep_OnlyWhenStepsAreAtomic) {
  for (const bool atomic : {true, false}) {
    const toy::Scratch scratch;
    LoopSettings settings = ten_steps(scratch.path());
    settings.steps_are_atomic = atomic;
    Counter body;
    body.throw_in_step = 5;
    EXPECT_THROW(run_loop(settings, body), Error);
    EXPECT_EQ(has_checkpoint(scratch.path(), 5), atomic);
  }
}

TEST(Loop, RefusesTheCheckpointOfAnotherTraining) {
  const toy::Scratch scratch;
  Counter first, second;
  run_loop(ten_steps(scratch.path(), 5), first);
  LoopSettings other = ten_steps(scratch.path());
  other.identity = {{"lr", 2}};
  try {
    run_loop(other, second);
    FAIL() << "went on from another training's checkpoint";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("lr: 1 there, 2 here"), std::string::npos) << error.what();
  }
  EXPECT_EQ(second.steps_made, 0);
}

TEST(BestScore, KeepsTheFirstOfEquals_AndCountsTheScoresSince) {
  BestScore best;
  EXPECT_TRUE(best.take(1, 0.5));
  EXPECT_FALSE(best.take(2, 0.5));
  EXPECT_FALSE(best.take(3, 0.4));
  EXPECT_EQ(best.step, 1);
  EXPECT_EQ(best.later, 2);
  EXPECT_TRUE(best.take(4, 0.6));
  EXPECT_EQ(best.later, 0);
}

TEST(BestScore, PrefersAnyNumberToNone) {
  BestScore best;
  EXPECT_TRUE(best.take(1, std::nan("")));
  EXPECT_FALSE(best.take(2, std::nan("")));
  EXPECT_TRUE(best.take(3, -1));
  EXPECT_FALSE(best.take(4, std::nan("")));
  EXPECT_EQ(best.step, 3);
}

}  // namespace
}  // namespace tsrun
