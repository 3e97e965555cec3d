#pragma once

#include <sys/types.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tsrun::app {

/// Further processes that run the same recipe over the same store. They make artifacts (or only plan), and send their news to our display.
/// A failed worker is no failure of ours: we then meet the same stage ourselves. Workers end with us: asked on destruction, by the kernel
/// when we are killed.
class Workers {
 public:
  /// `first`: the number of the first one in the display, where we are 0. `end`: the signal that ends them.
  Workers(int first, int end) : first_(first), end_(end) {}
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  /// `command`: as typed, the program's name first.
  void start(std::vector<std::string> command);
  size_t count() const { return children_.size(); }

 private:
  struct Child {
    pid_t process = -1;
    int news = -1;      ///< where its lines come from
    std::string begun;  ///< of a line
  };
  void listen();
  void hear(size_t number);

  int first_, end_;
  std::vector<Child> children_;
  std::thread listener_;
  std::mutex mutex_;  ///< of children_
  std::atomic<bool> ending_ = false;
};

}  // namespace tsrun::app
