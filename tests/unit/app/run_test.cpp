#include "tsrun/base/files.h"
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
  std::filesystem::path wait_for_text(const std::string& text) const {
    for (;;) {
      for (const auto& entry : std::filesystem::directory_iterator(folder_))
        if (entry.path().extension() == ".out" && read_text(entry.path()).find(text) != std::string::npos) return entry.path();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
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
  write("loop.lua", "print 'started'\nwhile true do end\n");
  for (const int signal : {SIGINT, SIGTERM}) {
    Process process({"loop.lua"}, folder_);
    std::filesystem::remove(wait_for_text("started"));
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

TEST_F(RunTest, StartsAsManyProcessesAsAsked_AndNoneOutlivesTheFirst) {
  write("sweep.lua",
        "local ts = require 'ts'\nlocal n = ts.sweep({ x = { 1, 2, 3 } }, function(at) return at.x end)\nprint(#n)\nwhile true do end\n");
  Process process({"sweep.lua", "--jobs", "3"}, folder_);
  wait_for_text("3");
  std::vector<pid_t> children;
  std::ifstream list("/proc/" + std::to_string(process.id()) + "/task/" + std::to_string(process.id()) + "/children");
  for (pid_t child; list >> child;) children.push_back(child);
  EXPECT_EQ(children.size(), 2u);
  process.send(SIGKILL);
  EXPECT_EQ(process.wait().code, -SIGKILL);
  for (const pid_t child : children) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (kill(child, 0) == 0 && std::chrono::steady_clock::now() < patience) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_NE(kill(child, 0), 0) << "a worker outlived its parent";
  }
}

}  // namespace
}  // namespace tsrun
