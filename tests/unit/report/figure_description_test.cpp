#include "tsrun/report/figure_description.h"

#include "tsrun/base/error.h"

#include <gmock/gmock.h>

#include <cmath>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

TEST(FigureOf, SharesNameEveryKindOfTensorInEverySeries) {
  const Figure figure =
      figure_of({{"name", "shares"},
                 {"kind", "shares"},
                 {"outliers",
                  {{"delta", {{"by_module", {{"output.dense", {{"share", 0.75}}}, {"a.module.with.a.long.name", {{"share", 0.25}}}}}}},
                   {"raw", {{"by_module", {{"output.LayerNorm", {{"share", 1.0}}}}}}},
                   {"empty", json::object()}}}});
  ASSERT_EQ(figure.series.size(), 3U);
  for (const auto& series : figure.series)
    EXPECT_THAT(series.labels, ElementsAre("a.module.with.a.long.name", "output.LayerNorm", "output.dense"));
  EXPECT_THAT(figure.series[0].y, ElementsAre(0.25, 0.0, 0.75));
  EXPECT_THAT(figure.series[1].y, ElementsAre(0.0, 0.0, 0.0));
  EXPECT_THAT(figure.series[2].y, ElementsAre(0.0, 1.0, 0.0));
}

TEST(FigureOf, SpectrumIsRelativeToTheLargestOfItsGroup) {
  const Figure figure = figure_of(
      {{"name", "spectrum"},
       {"kind", "spectrum"},
       {"bases",
        {{"delta",
          {{"groups",
            {{{"name", "layer 0"}, {"singular_values", {4.0, 2.0, 0.0}}}, {{"name", "layer 1"}, {"singular_values", json::array()}}}}}}}}});
  ASSERT_EQ(figure.series.size(), 1U);
  EXPECT_EQ(figure.series[0].name, "delta, layer 0");
  EXPECT_THAT(figure.series[0].x, ElementsAre(1, 2));
  EXPECT_THAT(figure.series[0].y, ElementsAre(1, 0.5));
}

TEST(FigureOf, LayersDrawsSpacesFromZero_AndLayersFromOne) {
  const json salf = {{"table", {{"latent_spaces", {{"deviation", {0.9, 0.5, 0.4}}}}, {"layers", {{"gain", {0.4, 0.1}}}}, {"rank", 3}}}};
  const json missing = {{"table", {{"layers", {{"score", {nullptr, 4.0, -8.0}}}}, {"first_layer", 2}}}};
  const Figure alone = figure_of({{"name", "a"}, {"kind", "layers"}, {"scopes", {{"salf", salf}}}});
  ASSERT_EQ(alone.series.size(), 2U);
  EXPECT_EQ(alone.series[0].name, "salf, deviation");
  EXPECT_THAT(alone.series[0].x, ElementsAre(0, 1, 2));
  EXPECT_THAT(alone.series[0].y, ElementsAre(0.9, 0.5, 0.4));
  EXPECT_THAT(alone.series[1].x, ElementsAre(1, 2));
  const Figure both = figure_of({{"name", "b"}, {"kind", "layers"}, {"scopes", {{"other", missing}, {"salf", salf}}}});
  EXPECT_THAT(both.series[0].x, ElementsAre(4, 5));
  EXPECT_THAT(both.series[0].y, ElementsAre(0.5, -1));
  EXPECT_THAT(both.series[2].y, ElementsAre(1, 0.25));
}

TEST(FigureOf, LayersRefusesAScopeWithoutNumbers) {
  EXPECT_THROW(figure_of({{"name", "a"}, {"kind", "layers"}, {"scopes", {{"mask", {{"table", json::object()}}}}}}), Error);
}

TEST(FigureOf, UpdateHasTheLineBeyondWhichAnOutlierLies) {
  const Figure figure =
      figure_of({{"name", "update"},
                 {"kind", "update"},
                 {"sigmas", 2.0},
                 {"outliers", {{"profile", {{{"group", "layer 0"}, {"positions", {0, 5}}, {"values", {0.1, 0.4}}, {"sigma", 0.15}}}}}}});
  ASSERT_EQ(figure.series.size(), 1U);
  EXPECT_THAT(figure.series[0].y, ElementsAre(0.1, 0.4));
  EXPECT_THAT(figure.series[0].horizontal_lines, ElementsAre(0.3));
}

TEST(FigureOf, LandscapeKeepsHolesAndRefusesAnAxisThatIsNone) {
  json description = {
      {"name", "plane"},
      {"kind", "landscape"},
      {"panels", json::array({{{"name", "lora"}, {"values", json::array({json::array({0.5, false}), json::array({nullptr, 1})})}}})},
      {"x", {0, 1}},
      {"y", {-1, 1}},
      {"points", json::array({{{"name", "centroid"}, {"x", 0.5}, {"y", 0}}})},
      {"threshold", 0.9}};
  const Figure figure = figure_of(description);
  ASSERT_EQ(figure.landscape.panels.size(), 1U);
  EXPECT_EQ(figure.landscape.panels[0].values[0][0], 0.5);
  EXPECT_TRUE(std::isnan(figure.landscape.panels[0].values[0][1]));
  EXPECT_TRUE(std::isnan(figure.landscape.panels[0].values[1][0]));
  EXPECT_EQ(figure.landscape.marks[0].name, "centroid");
  EXPECT_EQ(figure.landscape.y[0], -1);
  description["x"] = {0, 1, 2};
  EXPECT_THROW(figure_of(description), Error);
}

TEST(FigureOf, NamesTheNearMissOfAKind) {
  try {
    figure_of({{"name", "x"}, {"kind", "spectrun"}});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("did you mean 'spectrum'"));
  }
}

}  // namespace
}  // namespace tsrun
