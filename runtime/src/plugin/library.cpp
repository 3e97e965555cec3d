#include "plugin/library.h"

#include "plugin/elf.h"
#include "tsrun/base/error.h"
#include "tsrun/plugin/host.h"

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <dlfcn.h>

#include <algorithm>
#include <string>
#include <vector>

namespace tsrun {
namespace {

constexpr std::string_view kTagPrefix = "tsrun_abi_";
constexpr const char* kEntry = "tsrun_plugin_register";

/// "API 3, LibTorch 2.13.0, C++11 ABI 1" from tsrun_abi_3_torch_2_13_0_cxx11_1; the tag itself when it has another form.
std::string explain(std::string_view tag) {
  const auto torch = tag.find("_torch_"), abi = tag.find("_cxx11_");
  if (torch == tag.npos || abi == tag.npos || abi < torch) return std::string(tag);
  std::string version(tag.substr(torch + 7, abi - torch - 7));
  std::replace(version.begin(), version.end(), '_', '.');
  return fmt::format("API {}, LibTorch {}, C++11 ABI {}", tag.substr(kTagPrefix.size(), torch - kTagPrefix.size()), version,
                     tag.substr(abi + 7));
}

void check_symbols(const std::filesystem::path& file) {
  const auto exported = plugin::exported_symbols(file);
  if (!exported) data_error("{}: not a shared library (expected a 64-bit ELF file built with tsrun_add_plugin)", file.string());
  const auto& symbols = *exported;
  const auto has_prefix = [](const std::string& symbol) { return symbol.starts_with(kTagPrefix); };
  if (std::find(symbols.begin(), symbols.end(), abi_tag()) == symbols.end()) {
    const auto other = std::find_if(symbols.begin(), symbols.end(), has_prefix);
    if (other == symbols.end())
      data_error("{}: a library, but no tsrun plugin (no symbol '{}*'); build it with tsrun_add_plugin", file.string(), kTagPrefix);
    data_error(
        "{}: built for another runtime: found {} ({}), needed {} ({}); rebuild it against this one: cmake -S <plugin> -B <plugin>/build && "
        "cmake --build "
        "<plugin>/build --clean-first",
        file.string(), explain(*other), *other, explain(abi_tag()), abi_tag());
  }
  if (std::find(symbols.begin(), symbols.end(), kEntry) == symbols.end())
    data_error("{}: has no entry '{}'; put TSRUN_PLUGIN(registry) {{ … }} at the end of one source file", file.string(), kEntry);
}

}  // namespace

std::string_view abi_tag() { return TSRUN_ABI_TEXT; }

namespace plugin {

RegisterFunction open_plugin(const std::filesystem::path& file) {
  check_symbols(file);
  using namespace boost::dll;
  // The library stays when the handle goes: LibTorch does not survive being unloaded.
  constexpr auto mode = static_cast<load_mode::type>(load_mode::rtld_now | load_mode::rtld_local | RTLD_NODELETE);
  try {
    return shared_library(file, mode).get<void(Registry&)>(kEntry);
  } catch (const std::system_error& error) {
    data_error("{}: cannot be loaded: {}", file.string(), error.what());
  }
}

std::filesystem::path own_plugin_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_plugin_folder), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  const auto library = std::filesystem::weakly_canonical(info.dli_fname, ignored);
  return library.parent_path() / "tsrun" / "plugins";
}

}  // namespace plugin

}  // namespace tsrun
