#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tsrun {

/// Names that a shared library exports, read from the dynamic symbol table of its file; nothing of it is loaded. nullopt when the file is
/// no 64-bit little-endian ELF library, or a damaged one. Boost.DLL (1.74) loads libraries, but its library_info cannot stand here: it
/// reads .symtab, which `strip` and packaging remove; it takes names from the last string table in the file, which is that of sections in
/// every library that binutils links today, and so reads behind the end of its buffer; and it trusts every offset.
std::optional<std::vector<std::string>> exported_symbols(const std::filesystem::path& file);
/// The same of a file's bytes.
std::optional<std::vector<std::string>> exported_symbols(std::span<const std::byte> file);

}  // namespace tsrun
