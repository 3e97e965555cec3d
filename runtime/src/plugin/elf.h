#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tsrun::plugin {

/// Exported names of a shared library, read by libelf from its dynamic symbol table without loading it. nullopt for a damaged file or one
/// other than a 64-bit little-endian ELF library. Boost.DLL's library_info reads .symtab, which `strip` removes, and trusts every offset.
std::optional<std::vector<std::string>> exported_symbols(const std::filesystem::path& file);
/// The same of a file's bytes.
std::optional<std::vector<std::string>> exported_symbols(std::span<const std::byte> file);

}  // namespace tsrun::plugin
