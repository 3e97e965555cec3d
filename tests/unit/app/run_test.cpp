#include "support/folder_test.h"
#include "unit/app/process.h"

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Waits for what a process is to do; fails the test where it does not.
template <class Condition>
void wait_until(const Condition& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!holds()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "nothing happened for a minute";
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void wait_for_words(const Process& process, const std::string& words) {
  wait_until([&] { return process.errors().find(words) != std::string::npos; });
}

/// Recipes through the real program.
class RunTest : public FolderTest {
 protected:
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  /// Folders "model" (a BERT of two layers without a head) and "task".
  void small_model_and_task() {
    std::filesystem::create_directories(folder_ / "task");
    std::filesystem::create_directories(folder_ / "model");
    for (const char* file : {"config.json", "model.safetensors"})
      std::filesystem::copy(std::filesystem::path(TSRUN_SOURCE_DIR) / "tests/goldens/bert_tiny" / file, folder_ / "model" / file);
    write("model/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nold\nman\nboat\n");
    write("task/train.tsv", "text\tlabel\nthe old man\tyes\nthe boat\tno\nold\tno\nthe man\tyes\n");
    write("task/task.toml",
          "name = 't'\nkind = 'classification'\ntext = 'text'\nlabel = 'label'\nlabels = ['yes', 'no']\nmetrics = ['accuracy']\n"
          "[splits]\ntrain = 'train.tsv'\ndev = 'train.tsv'\n[format]\ntype = 'tsv'\nheader = true\n");
  }
};

TEST_F(RunTest, PrintsResults_AndEndsWithZero) {
  write(
      "hello.lua",
      "local ts = require 'ts'\nlocal arg = ts.arguments{ name = { default = 'you' } }\nprint('hello ' .. arg.name)\nts.log('%d done', 1)");
  const auto outcome = tsrun_program({"hello.lua", "--set", "name=world"}, folder_);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "hello world\n");
  EXPECT_THAT(outcome.err, HasSubstr("1 done"));
  EXPECT_THAT(tsrun_program({"run", "hello.lua", "--quiet"}, folder_).err, IsEmpty());
}

TEST_F(RunTest, EndsAnEndlessLoop_OnCtrlC) {
  write("loop.lua", "require('ts').log 'started'\nwhile true do end\n");
  for (const int signal : {SIGINT, SIGTERM}) {
    Process process({"loop.lua"}, folder_);
    wait_for_words(process, "started");
    process.send(signal);
    EXPECT_EQ(process.wait().code, 130);
  }
}

TEST_F(RunTest, EndsAPatternThatWouldTakeForever_OnCtrlC) {
  write("pattern.lua",
        "require('ts').log 'started'\nlocal s = ('a'):rep(60)\nwhile true do pcall(string.find, s, ('a-'):rep(60) .. 'b') end\n");
  Process process({"pattern.lua"}, folder_);
  wait_for_words(process, "started");
  process.send(SIGINT);
  EXPECT_EQ(process.wait().code, 130);
}

TEST_F(RunTest, EndsWhileItWaitsForAnotherProcess_OnCtrlC) {
  write("wait.lua", "local ts = require 'ts'\nts.log 'started'\nts.model 'builtin:bert-mini'\n");
  Process first({"wait.lua"}, folder_);
  const auto work = folder_ / ".tsrun/store/work";
  wait_until([&] { return std::filesystem::exists(work) && !std::filesystem::is_empty(work); });
  Process second({"wait.lua"}, folder_);
  wait_for_words(second, "waiting");
  second.send(SIGINT);
  EXPECT_EQ(second.wait().code, 130);
  first.send(SIGINT);
  EXPECT_EQ(first.wait().code, 130);
}

TEST_F(RunTest, TellsTextAndLine_OfATableThatARecipeRaises) {
  write("fails.lua", "local limit = 3\nerror{ 'needs more rows', limit = limit }\n");
  const auto outcome = tsrun_program({"fails.lua"}, folder_);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("fails.lua:2: "), HasSubstr("needs more rows"), HasSubstr("limit = 3")));
}

TEST_F(RunTest, LetsNoControlCharacterOfARecipeReachStandardError) {
  write("noisy.lua", "require('ts').log('a\\27[2Jb\\r')\nerror('c\\27[31md\\r')\n");
  const auto outcome = tsrun_program({"noisy.lua"}, folder_);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("a\\x1b[2Jb\\r"), HasSubstr("c\\x1b[31md\\r")));
  EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos);
  EXPECT_EQ(outcome.err.find('\r'), std::string::npos);
}

TEST_F(RunTest, WritesResultsAsTheyAre_WhereNoTerminalReadsThem) {
  write("bytes.lua", "print('a\\27[1mb')\n");
  EXPECT_EQ(tsrun_program({"bytes.lua"}, folder_).out, "a\x1b[1mb\n");
}

TEST_F(RunTest, EscapesResults_OnATerminal) {
  write("bytes.lua", "print('a\\27[1mb')\n");
  EXPECT_THAT(tsrun_on_terminal({"bytes.lua"}, folder_).out, HasSubstr("a\\x1b[1mb\r\n"));
}

TEST_F(RunTest, ShowsOneBlockOnATerminal_WithTheRunAboveItsStages) {
  write("sweep.lua",
        "local ts = require 'ts'\nlocal task = ts.task 'task'\nlocal model = ts.model 'model'\n"
        "ts.sweep({ seed = { 1, 2 } }, function(at)\n"
        "  return ts.train { name = 'raw: outliers', model = model, task = task, seed = at.seed, epochs = 500, keep = 'none' }\nend)\n");
  small_model_and_task();
  const auto outcome = tsrun_on_terminal({"sweep.lua", "--jobs", "1"}, folder_);
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("raw: outliers, seed 1 ["));
  EXPECT_THAT(outcome.out, HasSubstr("raw: outliers, seed 2 ["));
  EXPECT_THAT(outcome.out, HasSubstr("/2 stages"));
  EXPECT_THAT(outcome.out, AnyOf(HasSubstr("sweep ["), HasSubstr("sweep  ")));
  size_t said = 0;
  for (auto at = outcome.out.find("not in the checkpoint"); at != std::string::npos; at = outcome.out.find("not in the checkpoint", at + 1))
    ++said;
  EXPECT_LE(said, 1u) << "a message is said once a run";
  EXPECT_EQ(outcome.out.find("done,"), std::string::npos) << "a stage that ends leaves no line on a terminal";
}

TEST_F(RunTest, SaysAMessageOnce_WithTheModelsName_WhateverProcessHasIt) {
  write("sweep.lua",
        "local ts = require 'ts'\nlocal task = ts.task 'task'\nlocal model = ts.model 'model'\n"
        "ts.sweep({ seed = { 1, 2, 3, 4 } }, function(at) return ts.train { model = model, task = task, seed = at.seed, epochs = 2, keep = "
        "'none' } end)\n");
  small_model_and_task();
  const auto outcome = tsrun_program({"sweep.lua", "--jobs", "2"}, folder_);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto first = outcome.err.find("model: not in the checkpoint, initialised");
  ASSERT_NE(first, std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("not in the checkpoint", first + 30), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find(folder_.string()), std::string::npos) << "it is named as the user did: " << outcome.err;
}

TEST_F(RunTest, ScoresInBlocksOfTheLengthThatSetGives) {
  small_model_and_task();
  std::string text;
  for (int i = 0; i < 60; ++i) text += "the old man the boat ";
  write("text.txt", text);
  const auto score = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"score", "model", "text.txt"};
    words.insert(words.end(), more.begin(), more.end());
    return tsrun_program(words, folder_).out;
  };
  const auto whole = score({}), set = score({"--set", "max_length=8"});
  EXPECT_THAT(whole, HasSubstr("perplexity"));
  EXPECT_NE(set, whole);
  EXPECT_EQ(set, score({"--max-length", "8"}));
}

TEST_F(RunTest, RefusesAStoreThatCannotBeWritten) {
  write("task.lua", "local ts = require 'ts'\nts.model 'builtin:bert-mini'\n");
  const auto outcome = tsrun_program({"task.lua", "--store", "/dev/null/store"}, folder_);
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("/dev/null/store"), HasSubstr("cannot be created")));
}

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> children;
  std::ifstream list(fmt::format("/proc/{}/task/{}/children", process, process));
  for (pid_t child; list >> child;) children.push_back(child);
  return children;
}

/// Whether the process still works; a zombie whose new parent has not looked yet does not.
bool alive(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string number, name;
  char state = 'X';
  file >> number >> name >> state;
  return state != 'X' && state != 'Z';
}

TEST_F(RunTest, StartsAsManyProcessesAsAsked_WhenASweepComputes_AndNoneOutlivesTheFirst) {
  write("sweep.lua", "local ts = require 'ts'\nts.sweep({ x = { 1, 2, 3 } }, function(at) return ts.model 'builtin:bert-mini' end)\n");
  Process process({"sweep.lua", "--jobs", "3"}, folder_);
  std::vector<pid_t> children;
  wait_until([&] { return (children = children_of(process.id())).size() >= 2; });
  process.send(SIGKILL);
  EXPECT_EQ(process.wait().code, -SIGKILL);
  for (const pid_t child : children) {
    SCOPED_TRACE("no worker outlives its parent");
    wait_until([&] { return !alive(child); });
  }
}

TEST_F(RunTest, StartsNoProcess_WhenASweepHasNothingToCompute) {
  write("sweep.lua",
        "local ts = require 'ts'\nts.sweep({ x = { 1, 2, 3 } }, function(at) return at.x end)\nts.log 'swept'\nwhile true do end\n");
  Process process({"sweep.lua", "--jobs", "3"}, folder_);
  wait_for_words(process, "swept");
  EXPECT_TRUE(children_of(process.id()).empty());
}

TEST_F(RunTest, StartsNoProcess_WhenTheThreadsAskedForTakeEveryCore) {
  write("sweep.lua", "local ts = require 'ts'\nts.sweep({ x = { 1, 2, 3 } }, function(at) return ts.model 'builtin:bert-mini' end)\n");
  const std::string cores = std::to_string(std::max(1U, std::thread::hardware_concurrency()));
  Process process({"sweep.lua", "--threads", cores}, folder_);
  wait_for_words(process, "pre-train");
  EXPECT_TRUE(children_of(process.id()).empty());
}

}  // namespace
}  // namespace tsrun
