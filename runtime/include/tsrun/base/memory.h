#pragma once

#include <cstdint>

/// Resident memory of this process, as the kernel counts it.
namespace tsrun {

/// The most that was resident at once since the process began, in bytes.
int64_t peak_memory_bytes();

/// The most that is resident at once while the object lives. Memory that the allocator held in reserve is given back first, so that what
/// ran before shows as little as possible. Meters may be nested; read the outer
/// one when the inner is gone. Where the kernel does not let its own count be set back, `peak` is that of
/// the whole process.
class MemoryMeter {
 public:
  MemoryMeter();
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;
  int64_t before() const { return before_; }  ///< resident when it began
  int64_t peak() const;

 private:
  int64_t before_ = 0, outer_ = 0;
};

}  // namespace tsrun
