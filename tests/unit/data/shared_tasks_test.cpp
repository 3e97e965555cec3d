#include "tsrun/data/task.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

namespace tsrun {
namespace {

std::filesystem::path shared_tasks() {
  const char* given = std::getenv("TSRUN_SHARED");
  return (given ? std::filesystem::path(given) : std::filesystem::path(TSRUN_SOURCE_DIR) / ".." / "shared") / "data/tasks";
}

TEST(SharedTasks, LoadWithTheirRows) {
  if (!std::filesystem::exists(shared_tasks())) GTEST_SKIP() << shared_tasks() << " is not here";
  const std::map<std::string, std::map<std::string, size_t>> rows = {
      {"rte", {{"train", 2490}, {"dev", 277}}},
      {"cola", {{"train", 8551}, {"dev", 1043}}},
      {"stsb", {{"train", 5748}, {"dev", 1500}}},
      {"sst2", {{"train", 67349}, {"dev", 872}, {"test", 1821}}},
      {"boolq", {{"train", 32}, {"dev", 3270}, {"dev32", 32}}},
      {"imdb_2k", {{"dev", 1000}, {"test", 1000}}},
  };
  size_t loaded = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared_tasks())) {
    if (!std::filesystem::exists(entry.path() / "task.toml")) continue;
    const Task task = load_task(entry.path());
    EXPECT_EQ(task.name, entry.path().filename().string());
    ++loaded;
    if (!rows.count(task.name)) continue;
    for (const auto& [split, count] : rows.at(task.name)) EXPECT_EQ(task.split(split).examples.size(), count) << task.name << ' ' << split;
  }
  EXPECT_EQ(loaded, 15u);
}

TEST(SharedTasks, ScoreTheMostFrequentAnswer) {
  if (!std::filesystem::exists(shared_tasks())) GTEST_SKIP() << shared_tasks() << " is not here";
  EXPECT_NEAR(load_task(shared_tasks() / "rte").split("dev").majority_score, 146.0 / 277, 1e-12);
  EXPECT_EQ(load_task(shared_tasks() / "cola").split("dev").majority_score, 0);
  EXPECT_EQ(load_task(shared_tasks() / "stsb").split("dev").majority_score, 0);
}

}  // namespace
}  // namespace tsrun
