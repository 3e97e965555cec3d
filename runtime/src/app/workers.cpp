#include "app/workers.h"

#include "tsrun/base/display.h"
#include "tsrun/base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <thread>

namespace tsrun::app {
namespace {

using namespace std::chrono_literals;

std::string own_path() {
  std::array<char, PATH_MAX> path{};
  const auto length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : "";
}

/// Becomes the worker, whose standard output is `news`. Runs between fork and exec, so it only makes system calls.
[[noreturn]] void become(const char* program, char* const* words, pid_t parent, int news) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(0);
  setpgid(0, 0);  // Ctrl-C reaches us; we pass it on once, so that a worker can still write its checkpoint
  const int nowhere = open("/dev/null", O_RDWR);
  for (const int stream : {STDIN_FILENO, STDERR_FILENO}) dup2(nowhere, stream);
  dup2(news, STDOUT_FILENO);
  execv(program, words);
  _exit(127);
}

bool ended(pid_t child) { return waitpid(child, nullptr, WNOHANG) != 0; }

}  // namespace

void Workers::start(std::vector<std::string> command) {
  const auto program = own_path();
  int ends[2];
  if (program.empty() || pipe2(ends, O_CLOEXEC) != 0) return;
  std::vector<char*> words;
  for (auto& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  const pid_t parent = getpid(), child = fork();
  if (child == 0) become(program.c_str(), words.data(), parent, ends[1]);
  close(ends[1]);
  if (child < 0) close(ends[0]);
  if (child < 0) return log_warning("no further process could be started; the sweep goes on with {}", children_.size() + 1);
  const std::lock_guard lock(mutex_);
  children_.push_back({child, ends[0], ""});
  if (!listener_.joinable()) listener_ = std::thread([this] { listen(); });
}

/// Reads the available lines of one child; an ended child's progress bars are removed.
void Workers::hear(size_t number) {
  Child& child = children_[number];
  std::array<char, 4096> bytes{};
  const auto got = read(child.news, bytes.data(), bytes.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    close(child.news);
    child.news = -1;
    return Display::get().forget(first_ + static_cast<int>(number));
  }
  child.begun.append(bytes.data(), static_cast<size_t>(got));
  for (auto end = child.begun.find('\n'); end != std::string::npos; end = child.begun.find('\n')) {
    if (const auto news = news_from(std::string_view(child.begun).substr(0, end)))
      Display::get().take(first_ + static_cast<int>(number), *news);
    child.begun.erase(0, end + 1);
  }
}

void Workers::listen() {
  while (!ending_) {
    std::vector<pollfd> waiting;
    std::vector<size_t> numbers;
    {
      const std::lock_guard lock(mutex_);
      for (size_t i = 0; i < children_.size(); ++i)
        if (children_[i].news >= 0) waiting.push_back({children_[i].news, POLLIN, 0}), numbers.push_back(i);
    }
    poll(waiting.data(), waiting.size(), 100);  // milliseconds: so soon it sees new children, and the end
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < waiting.size(); ++i)
      if (waiting[i].revents != 0) hear(numbers[i]);
  }
}

Workers::~Workers() {
  for (const auto& child : children_) kill(child.process, end_);
  const auto patience = std::chrono::steady_clock::now() + 10s;
  for (const auto& child : children_) {
    while (!ended(child.process)) {
      if (std::chrono::steady_clock::now() > patience) kill(child.process, SIGKILL);  // the store stands that
      std::this_thread::sleep_for(10ms);
    }
  }
  ending_ = true;
  if (listener_.joinable()) listener_.join();
  for (const auto& child : children_)
    if (child.news >= 0) close(child.news);
}

}  // namespace tsrun::app
