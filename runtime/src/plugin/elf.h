#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tsrun {

/// Names that a shared library exports, read from the dynamic symbol table of its file; nothing of it is loaded. nullopt when the file is
/// no 64-bit little-endian ELF library, or a damaged one. Boost.DLL's library_info reads the other table, which `strip` and packaging
/// remove, and trusts every offset in the file.
std::optional<std::vector<std::string>> exported_symbols(const std::filesystem::path& file);

}  // namespace tsrun
