#include "support/temporary_folder.h"
#include "tsrun/store/store.h"

#include <gtest/gtest.h>

#include <string>

namespace tsrun {
namespace {

using nlohmann::json;
using testing::TemporaryFolder;

TEST(StoreRecord, AreWrittenBesideTheArtifactAndNotIntoItsSummary) {
  const TemporaryFolder folder;
  Store store(folder.path());
  const auto made = store.compute({"thing", {{"x", 1}}}, true, [](const auto&, const auto&) {
    const std::string ballast(50 << 20, 'x');
    return json{{"length", ballast.size()}};
  });
  const json record = store.record("thing", made->key);
  // The kernel counts pages in batches, so that a little may be missing.
  EXPECT_GE(record["memory"]["peak_bytes"].get<int64_t>() - record["memory"]["before_bytes"].get<int64_t>(), 40 << 20);
  EXPECT_GT(record["seconds"].get<double>(), 0);
  EXPECT_EQ(record["summary"], json({{"length", 50 << 20}}));
  EXPECT_TRUE(store.record("thing", "none").is_null());
}

}  // namespace
}  // namespace tsrun
