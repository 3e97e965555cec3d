#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace tsrun {

/// What a finished program left. `code` is its exit status, or minus the signal that ended it.
struct Outcome {
  int code = 0;
  std::string out, err;
};

/// The program `tsrun` (TSRUN_PROGRAM) running in a folder, with its output kept in files there.
class Process {
 public:
  Process(const std::vector<std::string>& words, const std::filesystem::path& folder, const std::string& input = "");
  ~Process();  ///< kills what still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  void send(int signal) const;
  pid_t id() const { return id_; }
  std::string errors() const;  ///< standard error up to now
  Outcome wait();

 private:
  pid_t id_ = -1;
  std::filesystem::path folder_;
  std::string name_;
};

/// Runs to the end.
Outcome tsrun_program(const std::vector<std::string>& words, const std::filesystem::path& folder, const std::string& input = "");

/// Runs to the end on a pseudo-terminal of 100 columns; `out` is all that it received.
Outcome tsrun_on_terminal(const std::vector<std::string>& words, const std::filesystem::path& folder);

}  // namespace tsrun
