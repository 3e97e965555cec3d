#pragma once

#include <cstddef>
#include <cstdint>

/// Memory of this process, as the kernel has it.
namespace tsrun {

/// Peak resident memory since the process began, in bytes.
int64_t peak_memory_bytes();

/// Asks the kernel for large pages behind [begin, begin + bytes), before it is first written: fewer page faults then, and fewer misses of
/// the translation cache in every later pass. A hint, without effect on what is stored.
void prefer_large_pages(void* begin, size_t bytes);

/// Keeps freed memory for the next allocation of this process, for its whole life: a training frees and allocates the same activations in
/// every step, and the kernel would map and zero their pages each time. Allocations beyond a gibibyte still go back, and a MemoryMeter
/// returns all that is free when it begins.
void keep_freed_memory();

/// Peak resident memory while the object lives. The allocator's free memory is returned to the system first, so that earlier work hardly
/// shows. Meters may be nested; read the outer one after the inner is gone. Where the kernel's count cannot be reset, `peak` is that of the
/// whole process. One thread only.
class MemoryMeter {
 public:
  MemoryMeter();
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;
  int64_t before() const { return before_; }  ///< at construction
  int64_t peak() const;

 private:
  int64_t before_ = 0, outer_ = 0;
};

}  // namespace tsrun
