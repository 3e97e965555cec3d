#pragma once

#include "tsrun/plugin/plugin.h"

#include <filesystem>
#include <memory>

/// Decorators between the runtime and plugin code. An Error passes unchanged; any other exception becomes an Error that names plugin, file
/// and call (internal, or run in an event of a training).
namespace tsrun::plugin {

std::unique_ptr<SubspaceMethod> guarded(std::unique_ptr<SubspaceMethod> method, const std::filesystem::path& file);
std::unique_ptr<JointMethod> guarded(std::unique_ptr<JointMethod> method, const std::filesystem::path& file);
std::unique_ptr<DeltaMethod> guarded(std::unique_ptr<DeltaMethod> method, const std::filesystem::path& file);
std::unique_ptr<SelectorMethod> guarded(std::unique_ptr<SelectorMethod> method, const std::filesystem::path& file);
std::unique_ptr<RegularizerMethod> guarded(std::unique_ptr<RegularizerMethod> method, const std::filesystem::path& file);

}  // namespace tsrun::plugin
