#include "unit/train/child_process.h"

#include "tsrun/base/error.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

extern char** environ;

namespace tsrun::toy {
namespace {

const std::string folder_variable = "TSRUN_TEST_CHILD_FOLDER";

/// That of this process without what GoogleTest reads, and with the folder.
std::vector<std::string> environment_for(const std::filesystem::path& folder) {
  std::vector<std::string> variables = {folder_variable + "=" + folder.string()};
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (!std::string(*variable).starts_with("GTEST_")) variables.emplace_back(*variable);
  return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

pid_t start_child(const std::string& name, const std::filesystem::path& folder) {
  std::vector<std::string> words = {"child", "--gtest_also_run_disabled_tests", "--gtest_filter=" + name},
                           variables = environment_for(folder);
  pid_t child = -1;
  const int problem = ::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, pointers_to(words).data(), pointers_to(variables).data());
  if (problem != 0) internal_error("posix_spawn: {}", problem);
  return child;
}

void act_as_child(const std::function<void(const std::filesystem::path&)>& act) {
  const char* folder = std::getenv(folder_variable.c_str());
  if (folder == nullptr) GTEST_SKIP() << "run by other tests";
  int code = 0;
  try {
    act(folder);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    code = error.exit_code();
  }
  ::_exit(code);
}

int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void wait_for_file(pid_t child, const std::filesystem::path& file) {
  siginfo_t ended{};
  while (!std::filesystem::exists(file)) {
    ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
    if (ended.si_pid == child) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace tsrun::toy
