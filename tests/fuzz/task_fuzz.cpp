#include "fuzz/target.h"
#include "tsrun/data/task.h"

using namespace tsrun;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  testing::refuse_or_take([&] { parse_task(testing::text_of(data, size), "task.toml"); });
  return 0;
}
