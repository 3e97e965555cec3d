#include "plugin/elf.h"

#include "tsrun/base/files.h"

#include <elf.h>

#include <cstring>

namespace tsrun::plugin {
namespace {

using Bytes = std::span<const std::byte>;

/// The object of type T at `offset`, or nullopt when it does not fit.
template <class T>
std::optional<T> read_at(Bytes bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

std::optional<Bytes> section_bytes(Bytes file, const Elf64_Shdr& section) {
  if (section.sh_offset > file.size() || section.sh_size > file.size() - section.sh_offset) return std::nullopt;
  return file.subspan(section.sh_offset, section.sh_size);
}

std::optional<Elf64_Shdr> section_at(Bytes file, const Elf64_Ehdr& header, uint64_t index) {
  if (index >= header.e_shnum || header.e_shoff > file.size()) return std::nullopt;
  return read_at<Elf64_Shdr>(file, header.e_shoff + index * sizeof(Elf64_Shdr));
}

std::optional<Elf64_Ehdr> library_header(Bytes file) {
  const auto header = read_at<Elf64_Ehdr>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return std::nullopt;
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_type != ET_DYN) return std::nullopt;
  return header;
}

/// The text at `offset` of a string table, which must end inside it.
std::optional<std::string> text_at(Bytes table, uint64_t offset) {
  if (offset >= table.size()) return std::nullopt;
  const char* begin = reinterpret_cast<const char*>(table.data()) + offset;
  const size_t length = strnlen(begin, table.size() - offset);
  if (length == table.size() - offset) return std::nullopt;
  return std::string(begin, length);
}

std::optional<std::vector<std::string>> defined_names(Bytes symbols, Bytes strings) {
  std::vector<std::string> names;
  for (uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= symbols.size(); offset += sizeof(Elf64_Sym)) {
    const auto symbol = *read_at<Elf64_Sym>(symbols, offset);
    if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) == STB_LOCAL) continue;
    auto name = text_at(strings, symbol.st_name);
    if (!name) return std::nullopt;
    names.push_back(std::move(*name));
  }
  return names;
}

}  // namespace

std::optional<std::vector<std::string>> exported_symbols(const std::filesystem::path& path) {
  const auto map = MappedFile::open(path);
  return exported_symbols(map.bytes());
}

std::optional<std::vector<std::string>> exported_symbols(Bytes file) {
  const auto header = library_header(file);
  if (!header) return std::nullopt;
  for (uint64_t index = 0; index < header->e_shnum; ++index) {
    const auto section = section_at(file, *header, index);
    if (!section) return std::nullopt;
    if (section->sh_type != SHT_DYNSYM) continue;
    const auto names = section_at(file, *header, section->sh_link);
    const auto symbols = section_bytes(file, *section);
    const auto strings = names ? section_bytes(file, *names) : std::nullopt;
    if (!symbols || !strings) return std::nullopt;
    return defined_names(*symbols, *strings);
  }
  return std::nullopt;
}

}  // namespace tsrun::plugin
