#include "data/readers.h"
#include "fuzz/target.h"
#include "tsrun/data/task.h"

using namespace tsrun;
using namespace tsrun::data;

namespace {

void read_rows(std::string_view text) {
  testing::refuse_or_take([&] { read_crossfit(checked_text(text, "rows", "rows"), "rows"); });
  testing::refuse_or_take([&] { read_conll(checked_text(text, "rows", "rows"), {"O", "B-X"}, "rows"); });
  for (const char* cut : {"file", "line", "blank_line", "separator"})
    testing::refuse_or_take([&] { read_documents(checked_text(text, "rows", "rows"), cut, "\n[", "rows"); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  testing::refuse_or_take([&] { parse_task(testing::text_of(data, size), "task.toml"); });
  read_rows(testing::text_of(data, size));
  return 0;
}
