#include "plugin/elf.h"

#include "tsrun/base/files.h"

#include <gelf.h>

#include <memory>

namespace tsrun::plugin {
namespace {

struct Closer {
  void operator()(Elf* library) const { elf_end(library); }
};

bool is_library_for_this_machine(Elf* file) {
  GElf_Ehdr header;
  return elf_kind(file) == ELF_K_ELF && gelf_getehdr(file, &header) != nullptr && header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_ident[EI_DATA] == ELFDATA2LSB && header.e_type == ET_DYN;
}

std::optional<std::vector<std::string>> defined_names(Elf* library, Elf_Data* symbols, size_t strings) {
  std::vector<std::string> names;
  GElf_Sym symbol;
  for (int i = 0; gelf_getsym(symbols, i, &symbol) != nullptr; ++i) {
    if (symbol.st_shndx == SHN_UNDEF || GELF_ST_BIND(symbol.st_info) == STB_LOCAL) continue;
    const char* name = elf_strptr(library, strings, symbol.st_name);
    if (name == nullptr) return std::nullopt;
    names.emplace_back(name);
  }
  return names;
}

}  // namespace

std::optional<std::vector<std::string>> exported_symbols(const std::filesystem::path& path) {
  const auto map = MappedFile::open(path);
  return exported_symbols(map.bytes());
}

std::optional<std::vector<std::string>> exported_symbols(std::span<const std::byte> file) {
  if (elf_version(EV_CURRENT) == EV_NONE) return std::nullopt;
  // libelf writes to memory only where an image is changed through it.
  const std::unique_ptr<Elf, Closer> library(elf_memory(reinterpret_cast<char*>(const_cast<std::byte*>(file.data())), file.size()));
  if (!library || !is_library_for_this_machine(library.get())) return std::nullopt;
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(library.get(), section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) return std::nullopt;
    if (header.sh_type != SHT_DYNSYM) continue;
    Elf_Data* symbols = elf_getdata(section, nullptr);
    return symbols != nullptr ? defined_names(library.get(), symbols, header.sh_link) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace tsrun::plugin
