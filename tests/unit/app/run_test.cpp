#include "unit/app/process.h"
#include "unit/experiment/fixture.h"

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Recipes through the real program.
class RunTest : public FolderTest {
 protected:
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
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
    while (process.errors().find("started") == std::string::npos) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    process.send(signal);
    EXPECT_EQ(process.wait().code, 130);
  }
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
  while (children.size() < 2) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    children = children_of(process.id());
  }
  process.send(SIGKILL);
  EXPECT_EQ(process.wait().code, -SIGKILL);
  for (const pid_t child : children) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (alive(child) && std::chrono::steady_clock::now() < patience) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(alive(child)) << "a worker outlived its parent";
  }
}

TEST_F(RunTest, StartsNoProcess_WhenASweepHasNothingToCompute) {
  write("sweep.lua",
        "local ts = require 'ts'\nts.sweep({ x = { 1, 2, 3 } }, function(at) return at.x end)\nts.log 'swept'\nwhile true do end\n");
  Process process({"sweep.lua", "--jobs", "3"}, folder_);
  while (process.errors().find("swept") == std::string::npos) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(children_of(process.id()).empty());
}

TEST_F(RunTest, StartsNoProcess_WhenTheThreadsAskedForTakeEveryCore) {
  write("sweep.lua", "local ts = require 'ts'\nts.sweep({ x = { 1, 2, 3 } }, function(at) return ts.model 'builtin:bert-mini' end)\n");
  const std::string cores = std::to_string(std::max(1U, std::thread::hardware_concurrency()));
  Process process({"sweep.lua", "--threads", cores}, folder_);
  while (process.errors().find("pre-train") == std::string::npos) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(children_of(process.id()).empty());
}

}  // namespace
}  // namespace tsrun
