#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tsrun::plugin {

/// Exported names of a shared library, read from its dynamic symbol table without loading it. nullopt for a damaged file or one other than
/// a 64-bit little-endian ELF library. Boost.DLL's library_info (1.74) is no replacement: it reads .symtab, which `strip` and packaging
/// remove; it takes names from the last string table, in today's libraries that of sections, and so reads behind the end of its buffer; and
/// it trusts every offset.
std::optional<std::vector<std::string>> exported_symbols(const std::filesystem::path& file);
/// The same of a file's bytes.
std::optional<std::vector<std::string>> exported_symbols(std::span<const std::byte> file);

}  // namespace tsrun::plugin
