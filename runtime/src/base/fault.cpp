#include "base/fault.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace tsrun::base {
namespace {

struct Seam {
  std::atomic<Fault> fault{Fault::none};
  std::atomic<int64_t> at{0}, count{0};

  Seam() {
    const char* wish = std::getenv("TSRUN_FAULT_WRITE");
    if (!wish) return;
    char* rest = nullptr;
    at = std::strtoll(wish, &rest, 10);
    fault = std::strcmp(rest, ":kill") == 0 ? Fault::kill : Fault::disk_full;
  }
};

Seam& seam() {
  static Seam instance;
  return instance;
}

}  // namespace

void set_write_fault(Fault fault, int64_t at) {
  seam().count = 0;
  seam().at = at;
  seam().fault = fault;
}

int64_t durable_operations() { return seam().count; }

bool fault_point() {
  const int64_t now = ++seam().count;
  const Fault fault = seam().fault;
  if (fault == Fault::none || now < seam().at) return false;
  if (fault == Fault::kill) kill(getpid(), SIGKILL);
  errno = ENOSPC;
  return true;
}

}  // namespace tsrun::base
