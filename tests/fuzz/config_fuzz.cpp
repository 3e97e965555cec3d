#include "fuzz/target.h"
#include "tsrun/base/files.h"
#include "tsrun/model/family.h"

using namespace tsrun;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  testing::refuse_or_take([&] { make_family(parse_json(testing::text_of(data, size), "config.json"), HeadSpec{}, "config.json"); });
  return 0;
}
