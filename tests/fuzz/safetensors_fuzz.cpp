#include <cstdlib>

#include "fuzz/target.h"
#include "tsrun/checkpoint/safetensors.h"

using namespace tsrun;

// What is accepted lies inside the file, and adds up.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  testing::refuse_or_take([&] {
    const auto file = SafetensorsFile::parse(bytes, "fuzz.safetensors");
    for (const TensorInfo& tensor : file.tensors()) {
      int64_t expected = size_of(tensor.type);
      for (const int64_t extent : tensor.shape) expected *= extent;
      const bool inside = tensor.bytes.data() >= bytes.data() && tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + bytes.size();
      if (!inside || tensor.bytes.size() != static_cast<size_t>(expected)) std::abort();
    }
  });
  return 0;
}
