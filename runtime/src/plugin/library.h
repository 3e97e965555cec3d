#pragma once

#include "tsrun/plugin/plugin.h"

#include <filesystem>

namespace tsrun::plugin {

using RegisterFunction = void (*)(Registry&);

/// Checks the symbols of `file` without running any of its code, then loads it for good and returns its entry.
/// @throws Error(data) for a file that is not a library or not a plugin, has another ABI, or cannot be linked.
RegisterFunction open_plugin(const std::filesystem::path& file);

/// The folder "tsrun/plugins" beside the runtime's own library; the same relation holds in a build tree and in an install tree.
std::filesystem::path own_plugin_folder();

}  // namespace tsrun::plugin
