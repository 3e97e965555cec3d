#include "report/figure.h"
#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

extern char** environ;

namespace tsrun::report {

namespace {

/// Owns posix_spawn's file actions: standard input from /dev/null, output and errors into one pipe.
class FileActions {
 public:
  FileActions(int output, const std::filesystem::path& folder) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str());
  }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

/// Output of the program until it ends; an interrupt ends it.
std::string read_all(int descriptor, pid_t process) {
  constexpr int kPause = 200;  // milliseconds
  std::string out;
  char buffer[4096];
  for (;;) {
    pollfd waiting{descriptor, POLLIN, 0};
    if (interrupted()) ::kill(process, SIGKILL);
    if (::poll(&waiting, 1, kPause) <= 0) continue;
    const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
    if (got > 0) {
      out.append(buffer, static_cast<size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return out;
    }
  }
}

int wait_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) run_error("waiting for a program failed: {}", std::strerror(errno));
  }
  return status;
}

}  // namespace

Outcome run_program(const std::vector<std::string>& command, const std::filesystem::path& folder) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) run_error("{}: no pipe: {}", command.front(), std::strerror(errno));
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t process = 0;
  const FileActions actions(ends[1], folder);
  const int failure = ::posix_spawnp(&process, arguments[0], actions.get(), nullptr, arguments.data(), environ);
  ::close(ends[1]);
  if (failure != 0) {
    ::close(ends[0]);
    return {failure != ENOENT, false, std::strerror(failure)};
  }
  std::string words = read_all(ends[0], process);
  ::close(ends[0]);
  const int status = wait_for(process);
  check_interrupt();
  return {true, WIFEXITED(status) && WEXITSTATUS(status) == 0, std::move(words)};
}

}  // namespace tsrun::report
