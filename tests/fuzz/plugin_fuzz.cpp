#include "fuzz/target.h"
#include "plugin/elf.h"

using namespace tsrun;

/// A plugin's file, whose symbols are read before it is loaded.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  plugin::exported_symbols(std::as_bytes(std::span(data, size)));
  return 0;
}
