#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>

namespace tsrun::toy {

/// Starts this program again to run the disabled test `name` alone, which calls `act_as_child`. A fork would not do: LibTorch refuses
/// backward passes in a process forked behind one.
pid_t start_child(const std::string& name, const std::filesystem::path& folder);

/// In the child: `act` on its folder, then the end with 0 or the exit code of the error, which is printed. A test run by hand is skipped.
void act_as_child(const std::function<void(const std::filesystem::path&)>& act);

/// Its exit code, or 128 + the signal that ended it.
int wait_for(pid_t child);

/// Waits until `file` is there, or the child has ended.
void wait_for_file(pid_t child, const std::filesystem::path& file);

}  // namespace tsrun::toy
