#pragma once

#include <cstdint>

/// A seam for tests of durability: every durable operation (create, write, fsync, rename) of the process passes through `fault_point`,
/// numbered from 1. `TSRUN_FAULT_WRITE=n` makes the n-th and all later ones fail as on a full disk; `TSRUN_FAULT_WRITE=n:kill` ends the
/// process at the n-th.
namespace tsrun::base {

enum class Fault { none, disk_full, kill };

/// Arms the seam from code: the `at`-th operation from now. Fault::none disarms.
void set_write_fault(Fault fault, int64_t at);
/// Durable operations since the start, or since `set_write_fault`.
int64_t durable_operations();
/// Counts one operation. True when it has to fail with ENOSPC, which is then in `errno`; does not return when it has to end the process.
bool fault_point();

}  // namespace tsrun::base
