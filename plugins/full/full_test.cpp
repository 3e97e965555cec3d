#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"

#include <gtest/gtest.h>

namespace tsrun::full {
namespace {

using namespace plugin_testing;

const bool cases =
    add_delta_case("full", nlohmann::json::object()) && add_delta_case("full", {{"patterns", {"*.weight"}}, {"parts", {"encoder"}}});

int64_t full_numbers(const SmallModel& model, const nlohmann::json& options) {
  const Attached attached = attach(delta_method("full"), model, options);
  EXPECT_TRUE(attached.delta->tensors().empty());
  int64_t numbers = 0;
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  return numbers;
}

TEST(Full, TrainsTheWholeModelButItsHead) {
  for (const SmallModel& model : {small_bert(), small_gpt2(), small_t5()}) {
    int64_t all = 0;
    for (const ParameterInfo& info : model.family->parameters()) {
      if (info.part != Part::head) all += model.weights.at(info.name).numel();
    }
    EXPECT_EQ(full_numbers(model, nlohmann::json::object()), all) << model.name;
  }
}

TEST(Full, TrainsThePartsAndNamesThatAreGiven) {
  EXPECT_EQ(full_numbers(small_bert(), {{"parts", {"pooler"}}}), 24 * 24 + 24);
  EXPECT_EQ(full_numbers(small_bert(), {{"patterns", {"*.query.weight", "*.value.weight"}}}), 2 * 2 * 24 * 24);
}

TEST(Full, NamesTheNearestPartAndParameter) {
  const auto message = [](const nlohmann::json& options) -> std::string {
    try {
      attach(delta_method("full"), small_bert(), options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_NE(message({{"parts", {"enkoder"}}}).find("'encoder'"), std::string::npos);
  EXPECT_NE(message({{"patterns", {"bert.pooler.dense.wieght"}}}).find("'bert.pooler.dense.weight'"), std::string::npos);
}

}  // namespace
}  // namespace tsrun::full
