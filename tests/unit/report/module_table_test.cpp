#include "tsrun/report/module_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

json matched(const std::string& method, const std::string& pattern, const std::string& module, int64_t numbers) {
  return {{"method", method}, {"pattern", pattern}, {"module", module}, {"numbers", numbers}};
}

/// A training of a lora on two queries, and of `groups` and `frozen` beside it.
json training(json groups, json frozen = {{"encoder", 1000}}) {
  const json matches = {matched("lora", "query", "layer.0.query", 20), matched("lora", "query", "layer.11.query", 20)};
  return {{"model", {{"matches", matches}}}, {"binding", {{"groups", std::move(groups)}, {"frozen", std::move(frozen)}}}};
}

json group(const std::string& name, int64_t numbers) { return {{"name", name}, {"numbers", numbers}}; }

std::vector<std::string> told(const std::vector<TrainedLine>& lines) {
  std::vector<std::string> all;
  for (const TrainedLine& line : lines) all.push_back(fmt::format("{} | {} | {}", line.what, line.modules, line.numbers));
  return all;
}

TEST(Modules, CountsThoseThatDifferInNumbersAlone) {
  EXPECT_THAT(told(trained_lines(training({group("delta", 40), group("head", 6)}))),
              ElementsAre("lora: query | 2 × layer.*.query | 40", "head | of the task | 6"));
}

TEST(Modules, NameAFrozenHead_AndPartsThatAreTrainedWhole) {
  EXPECT_THAT(told(trained_lines(training({group("delta", 40), group("encoder", 900)}, {{"head", 6}}))),
              ElementsAre("lora: query | 2 × layer.*.query | 40", "encoder | whole | 900", "head | of the task, frozen | 0"));
}

TEST(Modules, SayOnceWhatADeltaTrainsOfTheModelItself) {
  json run = training({group("encoder", 5), group("head", 6)});
  run["model"]["matches"] = {matched("bitfit", "biases", "layer.0.bias", 2), matched("bitfit", "biases", "layer.1.bias", 2),
                             matched("bitfit", "biases", "norm.bias", 1)};
  EXPECT_THAT(told(trained_lines(run)), ElementsAre("bitfit: biases | 2 × layer.*.bias, norm.bias | 5", "head | of the task | 6"));
}

TEST(Modules, LeaveOutADeltaThatIsFrozen_AndTrainingsWithoutOne) {
  EXPECT_THAT(told(trained_lines(training({group("head", 6)}, {{"delta", 40}}))), ElementsAre("head | of the task | 6"));
  json plain = training({group("encoder", 6)});
  plain["model"].erase("matches");
  EXPECT_THAT(trained_lines(plain), IsEmpty());
  json within = training({group("subspace", 3)});
  within["binding"]["subspace"] = json::object();
  EXPECT_THAT(trained_lines(within), IsEmpty());
}

TEST(Modules, ShareTheNumbersOfTheWholeModel_OnceForEqualVariants) {
  const json run = training({group("delta", 40), group("head", 10)}, {{"encoder", 150}});
  const json rows = {{{"variant", "lora, lr 0.1"}, {"result", run}}, {{"variant", "lora, lr 0.01"}, {"result", run}}};
  const FreeTable table = module_table(rows);
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[1][0].words, "lora, lr 0.1");
  EXPECT_EQ(table.rows[0][4].value, 20);
  EXPECT_EQ(table.rows[1][4].value, 5);
}

}  // namespace
}  // namespace tsrun
