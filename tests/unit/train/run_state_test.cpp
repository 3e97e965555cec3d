#include "tsrun/train/run_state.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "unit/train/child_process.h"
#include "unit/train/toy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

namespace tsrun {
namespace {

namespace fs = std::filesystem;
using toy::wait_for;

const nlohmann::json kOptions = {{"epochs", 6}, {"batch_size", 8}, {"checkpoint_every", 7}, {"eval_every", 5}};

void keep_rows(const TrainResult& result, const fs::path& folder) {
  write_durable(folder / "rows.json", nlohmann::json({result.last_rows.to_json(), result.best_rows.to_json()}).dump());
}

/// Trains with both observers and leaves everything that a run writes in `folder`.
void run_whole(const fs::path& folder) {
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  auto job = toy::job(model, task, kOptions, folder / "work");
  const auto set = select_parameters(*model.family, {});
  job.observers.push_back(make_trajectory_recorder(folder / "epochs", set, RowType::bfloat16, 0));
  job.observers.push_back(make_trajectory_recorder(folder / "steps", set, RowType::float32, 6));
  job.observers.push_back(make_weight_averager(folder / "mean.safetensors", 3));
  const TrainResult result = train(std::move(job));
  save_weights(result.last_weights, folder / "last.safetensors");
  save_weights(result.best_weights, folder / "best.safetensors");
  write_durable(folder / "description.json", result.report.to_json().dump());
  keep_rows(result, folder);
}

TEST(TrainChild, DISABLED_Trains) { toy::act_as_child(run_whole); }

TEST(TrainChild, DISABLED_TrainsWithASignal) {
  toy::act_as_child([](const fs::path& folder) {
    watch_interrupts();
    std::raise(SIGTERM);
    run_whole(folder);
  });
}

pid_t start(const fs::path& folder, const std::string& how = "Trains") { return toy::start_child("TrainChild.DISABLED_" + how, folder); }

void expect_same_run(const fs::path& a, const fs::path& b) {
  for (const char* file :
       {"work/metrics.jsonl", "last.safetensors", "best.safetensors", "mean.safetensors", "description.json", "rows.json"}) {
    EXPECT_EQ(toy::bytes_of(a / file) == toy::bytes_of(b / file), true) << file;
  }
  for (const char* folder : {"epochs", "steps"}) {
    size_t files = 0;
    for (const auto& entry : fs::directory_iterator(a / folder)) {
      ++files;
      EXPECT_EQ(toy::bytes_of(entry.path()) == toy::bytes_of(b / folder / entry.path().filename()), true) << entry.path();
    }
    EXPECT_GE(files, 5U);
    EXPECT_EQ(files, static_cast<size_t>(std::distance(fs::directory_iterator(b / folder), fs::directory_iterator())));
  }
}

TEST(Resume, ResumesBitEqual_AfterKills) {
  const toy::Scratch scratch;
  ASSERT_EQ(wait_for(start(scratch.path() / "whole")), 0);
  Stream draw(Key::root(static_cast<uint64_t>(::getpid())));
  int kills = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const pid_t child = start(scratch.path() / "killed");
    // The first as soon as there is something to resume from, the others at any moment.
    if (attempt == 0) toy::wait_for_file(child, scratch.path() / "killed/work/metrics.jsonl");
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(200 + draw.below(400)));
    ::kill(child, SIGKILL);
    if (wait_for(child) == 0) break;
    ++kills;
  }
  ASSERT_EQ(wait_for(start(scratch.path() / "killed")), 0);
  EXPECT_GE(kills, 1);
  expect_same_run(scratch.path() / "whole", scratch.path() / "killed");
}

TEST(Resume, WritesACheckpointAndContinues_AfterAnInterrupt) {
  const toy::Scratch scratch;
  const auto folder = scratch.path() / "run";
  EXPECT_EQ(wait_for(start(folder, "TrainsWithASignal")), 130);
  EXPECT_TRUE(fs::exists(folder / "work/step-000000/manifest.json"));
  EXPECT_EQ(wait_for(start(folder)), 0);
  ASSERT_EQ(wait_for(start(scratch.path() / "whole")), 0);
  expect_same_run(scratch.path() / "whole", folder);
}

/// A signal that comes while step 10 is about to be evaluated; `marker` says that it has come.
class SignalBeforeEvaluation final : public Observer {
 public:
  explicit SignalBeforeEvaluation(fs::path marker) : marker_(std::move(marker)) {}
  void step_ended(const Binding&, const StepDone& done) override {
    if (done.step != 10 || fs::exists(marker_)) return;
    write_durable(marker_, std::string_view("x"));
    std::raise(SIGTERM);
  }

 private:
  fs::path marker_;
};

/// Interrupted once, unless the marker is there. `still`: nothing learns, so the training ends two evaluations behind the first.
void run_with_signal(const fs::path& folder, bool still) {
  watch_interrupts();
  const Task task = toy::sentiment();
  const Model model = toy::tiny_bert();
  nlohmann::json options = kOptions;
  if (still) options["early_stop"] = 2;
  auto job = toy::job(model, task, options, folder / "work");
  if (still) job.tune.lr = job.tune.lr_embeddings = job.tune.lr_head = 0;
  job.observers.push_back(std::make_unique<SignalBeforeEvaluation>(folder / "marker"));
  const TrainResult result = train(std::move(job));
  save_weights(result.best_weights, folder / "best.safetensors");
  keep_rows(result, folder);
}

TEST(TrainChild, DISABLED_IsInterruptedBeforeAnEvaluation) {
  toy::act_as_child([](const fs::path& folder) { run_with_signal(folder, false); });
}

TEST(TrainChild, DISABLED_IsInterruptedWhileNothingLearns) {
  toy::act_as_child([](const fs::path& folder) { run_with_signal(folder, true); });
}

int train_with_signal(const fs::path& folder, bool still = false) {
  return wait_for(start(folder, still ? "IsInterruptedWhileNothingLearns" : "IsInterruptedBeforeAnEvaluation"));
}

TEST(Resume, MakesAnInterruptedEvaluationAgain) {
  const toy::Scratch scratch;
  const auto stopped = scratch.path() / "stopped", whole = scratch.path() / "whole";
  for (const auto& folder : {stopped, whole}) fs::create_directories(folder);
  write_durable(whole / "marker", std::string_view("x"));
  EXPECT_EQ(train_with_signal(stopped), 130);
  EXPECT_TRUE(fs::exists(stopped / "work/step-000010/manifest.json"));
  EXPECT_EQ(train_with_signal(stopped), 0);
  ASSERT_EQ(train_with_signal(whole), 0);
  for (const char* file : {"work/metrics.jsonl", "best.safetensors", "rows.json"})
    EXPECT_TRUE(toy::bytes_of(stopped / file) == toy::bytes_of(whole / file)) << file;
}

TEST(Resume, StopsEarlyAtTheSameStep) {
  const toy::Scratch scratch;
  const auto stopped = scratch.path() / "stopped";
  fs::create_directories(stopped);
  EXPECT_EQ(train_with_signal(stopped, /*still=*/true), 130);
  EXPECT_EQ(train_with_signal(stopped, /*still=*/true), 0);
  const std::string lines = read_text(stopped / "work/metrics.jsonl");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);  // after steps 5, 10 and 15
}

Checkpoint some_state(int64_t step) {
  Checkpoint run;
  run.step = step;
  run.state = {{"records", nlohmann::json::array()}};
  run.tensors["value.z"] = at::full({3}, static_cast<double>(step));
  return run;
}

TEST(Resume, SkipsADamagedCheckpoint) {
  const toy::Scratch scratch;
  save_run_state(scratch.path(), {{"lr", 1}}, some_state(5));
  save_run_state(scratch.path(), {{"lr", 1}}, some_state(10));
  fs::resize_file(scratch.path() / "step-000010/tensors.safetensors", 8);
  const auto found = newest_run_state(scratch.path(), {{"lr", 1}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->step, 5);
  EXPECT_TRUE(at::equal(found->tensors.at("value.z"), at::full({3}, 5.0F)));
}

TEST(Resume, KeepsTheNewestTwo) {
  const toy::Scratch scratch;
  for (const int64_t step : {5, 10, 1000000}) save_run_state(scratch.path(), {}, some_state(step));
  EXPECT_FALSE(fs::exists(scratch.path() / "step-000005"));
  EXPECT_TRUE(fs::exists(scratch.path() / "step-000010"));
  EXPECT_EQ(newest_run_state(scratch.path(), {})->step, 1000000);
}

TEST(Resume, RefusesAnotherRunsCheckpoint_SayingTheDifference) {
  const toy::Scratch scratch;
  save_run_state(scratch.path(), {{"options", {{"epochs", 3}, {"optim", "adamw"}}}}, some_state(5));
  try {
    newest_run_state(scratch.path(), {{"options", {{"epochs", 4}, {"optim", "adamw"}}}});
    FAIL() << "a foreign checkpoint was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("options.epochs: 3 there, 4 here"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun
