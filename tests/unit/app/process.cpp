#include "unit/app/process.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace tsrun {
namespace {

std::string content(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

void redirect(int stream, const std::filesystem::path& file, int flags) {
  const int descriptor = open(file.c_str(), flags, 0600);
  dup2(descriptor, stream);
}

}  // namespace

Process::Process(const std::vector<std::string>& words, const std::filesystem::path& folder, const std::string& input) : folder_(folder) {
  static std::atomic<int> count = 0;
  name_ = "process-" + std::to_string(++count);
  std::ofstream(folder_ / (name_ + ".in")) << input;
  std::vector<std::string> all = {TSRUN_PROGRAM};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> pointers;
  for (auto& word : all) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  id_ = fork();
  if (id_ != 0) return;
  if (chdir(folder_.c_str()) != 0) _exit(126);
  redirect(STDIN_FILENO, folder_ / (name_ + ".in"), O_RDONLY);
  redirect(STDOUT_FILENO, folder_ / (name_ + ".out"), O_WRONLY | O_CREAT | O_TRUNC);
  redirect(STDERR_FILENO, folder_ / (name_ + ".err"), O_WRONLY | O_CREAT | O_TRUNC);
  execv(TSRUN_PROGRAM, pointers.data());
  _exit(127);
}

Process::~Process() {
  if (id_ <= 0) return;
  kill(id_, SIGKILL);
  waitpid(id_, nullptr, 0);
}

void Process::send(int signal) const { kill(id_, signal); }

std::string Process::errors() const { return content(folder_ / (name_ + ".err")); }

Outcome Process::wait() {
  int status = 0;
  waitpid(id_, &status, 0);
  id_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), content(folder_ / (name_ + ".out")),
          content(folder_ / (name_ + ".err"))};
}

Outcome tsrun_on_terminal(const std::vector<std::string>& words, const std::filesystem::path& folder) {
  std::vector<std::string> all = {TSRUN_PROGRAM};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> pointers;
  for (auto& word : all) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  winsize size{};
  size.ws_col = 100;
  size.ws_row = 30;
  int master = -1;
  const pid_t child = forkpty(&master, nullptr, nullptr, &size);
  if (child == 0) {
    setenv("TERM", "xterm", 1);
    if (chdir(folder.c_str()) == 0) execv(TSRUN_PROGRAM, pointers.data());
    _exit(127);
  }
  Outcome outcome;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(master, buffer, sizeof buffer)) > 0;) outcome.out.append(buffer, static_cast<size_t>(got));
  int status = 0;
  waitpid(child, &status, 0);
  close(master);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return outcome;
}

Outcome tsrun_program(const std::vector<std::string>& words, const std::filesystem::path& folder, const std::string& input) {
  return Process(words, folder, input).wait();
}

}  // namespace tsrun
