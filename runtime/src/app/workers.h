#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace tsrun {

/// Further processes that run the same recipe over the same store. They make artifacts and say nothing; one that fails is no failure of
/// ours, because we then meet the same stage ourselves. They end with us: asked on destruction, by the kernel when we are killed.
class Workers {
 public:
  explicit Workers(std::vector<std::string> command) : command_(std::move(command)) {}
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  void start(int count);
  bool started() const { return !children_.empty(); }

 private:
  std::vector<std::string> command_;  ///< as typed, the program's name first
  std::vector<pid_t> children_;
};

}  // namespace tsrun
