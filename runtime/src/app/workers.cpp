#include "app/workers.h"

#include "tsrun/base/log.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <climits>
#include <csignal>
#include <thread>

namespace tsrun {
namespace {

using namespace std::chrono_literals;

std::string own_path() {
  std::array<char, PATH_MAX> path{};
  const auto length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : "";
}

/// Becomes the worker. Runs between fork and exec, so it only makes system calls.
[[noreturn]] void become(const char* program, char* const* words, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(0);
  setpgid(0, 0);  // Ctrl-C reaches us; we pass it on once, so that a worker can still write its checkpoint
  const int nowhere = open("/dev/null", O_RDWR);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nowhere, stream);
  execv(program, words);
  _exit(127);
}

bool ended(pid_t child) { return waitpid(child, nullptr, WNOHANG) != 0; }

}  // namespace

void Workers::start(int count) {
  const auto program = own_path();
  if (program.empty()) return;
  std::vector<char*> words;
  for (auto& word : command_) words.push_back(word.data());
  words.push_back(nullptr);
  const pid_t parent = getpid();
  for (int i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child == 0) become(program.c_str(), words.data(), parent);
    if (child < 0) log_warning("no further process could be started; the sweep goes on with {}", children_.size() + 1);
    if (child < 0) return;
    children_.push_back(child);
  }
  log_debug("{} more processes share the sweep", count);
}

Workers::~Workers() {
  for (const pid_t child : children_) kill(child, SIGTERM);
  const auto patience = std::chrono::steady_clock::now() + 10s;
  for (const pid_t child : children_) {
    while (!ended(child)) {
      if (std::chrono::steady_clock::now() > patience) kill(child, SIGKILL);  // the store stands that
      std::this_thread::sleep_for(10ms);
    }
  }
}

}  // namespace tsrun
