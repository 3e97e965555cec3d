#include "tsrun/linalg/layout.h"

#include "tsrun/base/error.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

Layout example() {
  Layout layout;
  layout.add("a.weight", {2, 3}).add("a.empty", {0}).add("a.bias", {4});
  return layout;
}

TEST(Layout, PlacesTensorsEndToEnd) {
  const Layout layout = example();
  EXPECT_EQ(layout.total(), 10);
  EXPECT_EQ(layout.find("a.bias")->offset, 6);
  EXPECT_EQ(layout.find("b"), nullptr);
  EXPECT_EQ(layout.at_position(5).name, "a.weight");
  EXPECT_EQ(layout.at_position(6).name, "a.bias");
  EXPECT_THROW(layout.at_position(10), Error);
  EXPECT_THROW(Layout(layout).add("a.bias", {1}), Error);
}

TEST(Layout, SurvivesJson) {
  const Layout layout = example();
  const Layout copy = Layout::from_json(layout.to_json());
  EXPECT_EQ(copy, layout);
  EXPECT_EQ(copy.digest(), layout.digest());
  EXPECT_FALSE(first_difference(copy, layout).has_value());
}

TEST(Layout, RefusesBrokenJson_AsDataErrors) {
  nlohmann::json gap = example().to_json(), total = gap, twice = gap, negative = gap;
  gap["slices"][2]["offset"] = 7;
  total["total"] = 11;
  twice["slices"][1]["name"] = "a.weight";
  negative["slices"][0]["shape"] = {-2, 3};
  for (const nlohmann::json& json : {gap, total, twice, negative, nlohmann::json(), nlohmann::json{{"slices", 3}}}) {
    try {
      Layout::from_json(json);
      FAIL() << json.dump();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << json.dump();
    }
  }
}

TEST(Layout, NamesTheFirstDifference) {
  Layout other;
  other.add("a.weight", {2, 3}).add("a.empty", {0}).add("a.gain", {4});
  EXPECT_EQ(*first_difference(example(), other), "slice 2 is 'a.bias' [4] here and 'a.gain' [4] there");
  EXPECT_EQ(*first_difference(example(), Layout()), "slice 0 is 'a.weight' [2, 3] here and missing there");
  EXPECT_NE(example().digest(), other.digest());
}

}  // namespace
}  // namespace tsrun
