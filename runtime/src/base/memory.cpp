#include "tsrun/base/memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <sstream>
#include <string>

namespace tsrun {

namespace {

/// A field of /proc/self/status such as "VmHWM:     123456 kB", in bytes; 0 where there is none.
int64_t status_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(field, 0) != 0) continue;
    int64_t kilobytes = 0;
    std::istringstream(line.substr(field.size())) >> kilobytes;
    return kilobytes * 1024;
  }
  return 0;
}

int64_t counted_peak() { return status_bytes("VmHWM:"); }

/// The largest count that was set back to zero, since the process began and since the innermost meter began.
std::atomic<int64_t> highest_of_process{0}, highest_of_meter{0};

void set_count_back() {
  const int64_t peak = counted_peak();
  highest_of_process = std::max<int64_t>(highest_of_process, peak);
  highest_of_meter = std::max<int64_t>(highest_of_meter, peak);
  const int file = ::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(file, "5", 1);  // see proc(5); without it the count goes on
  ::close(file);
}

}  // namespace

void prefer_large_pages(void* begin, size_t bytes) {
#ifdef MADV_HUGEPAGE
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)), first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page,
             end = (reinterpret_cast<uintptr_t>(begin) + bytes) / page * page;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
#endif
}

void keep_freed_memory() {
  constexpr int most = 1 << 30, ahead = 1 << 26;
  ::mallopt(M_MMAP_THRESHOLD, most);
  ::mallopt(M_TRIM_THRESHOLD, most);
  ::mallopt(M_TOP_PAD, ahead);
}

int64_t peak_memory_bytes() { return std::max<int64_t>(highest_of_process, counted_peak()); }

MemoryMeter::MemoryMeter() {
  ::malloc_trim(0);
  set_count_back();
  outer_ = highest_of_meter;
  highest_of_meter = 0;
  before_ = status_bytes("VmRSS:");
}

MemoryMeter::~MemoryMeter() { highest_of_meter = std::max<int64_t>(outer_, peak()); }

int64_t MemoryMeter::peak() const { return std::max<int64_t>(highest_of_meter, counted_peak()); }

}  // namespace tsrun
