#include "tsrun/report/figure_description.h"

#include "support/errors.h"
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

TEST(FigureOf, HeatMapKeepsNamesAndHoles) {
  const Figure figure = figure_of({{"name", "drops"},
                                   {"kind", "heat_map"},
                                   {"columns", {"rte", "cola"}},
                                   {"rows", {"freeze"}},
                                   {"values", json::array({json::array({1.25, false})})},
                                   {"digits", 2}});
  EXPECT_THAT(figure.heat_map.columns, ElementsAre("rte", "cola"));
  EXPECT_THAT(figure.heat_map.rows, ElementsAre("freeze"));
  EXPECT_EQ(figure.heat_map.values[0][0], 1.25);
  EXPECT_TRUE(std::isnan(figure.heat_map.values[0][1]));
  EXPECT_EQ(figure.heat_map.digits, 2);
}

/// A geometry of two buckets, of which the second has more vectors than its lists.
json two_buckets() {
  const json first = {{"name", "ranks 1 to 2"},
                      {"rows", 2},
                      {"cosines", {0.25, 0.75}},
                      {"centred", {{"cosines", {1.0, 0.0}}}},
                      {"x", {1, 2}},
                      {"y", {3, 4}}};
  json second = first;
  second.update({{"name", "never seen"}, {"rows", 9}});
  return {{"spectrum", {1.0, 0.5, 0.0}},
          {"centred", {{"spectrum", {1.0, 0.9}}}},
          {"pair_rows", 4},
          {"cloud_rows", 2},
          {"buckets", {first, second}}};
}

TEST(FigureOf, SpectraOfGeometriesAreCurves_AsGivenOrCentred) {
  json description = {{"name", "s"}, {"kind", "spectrum"}, {"geometries", {{"before", two_buckets()}, {"after", two_buckets()}}}};
  const Figure given = figure_of(description);
  ASSERT_EQ(given.series.size(), 2U);
  EXPECT_TRUE(given.log_y);
  EXPECT_EQ(given.series[1].name, "before");
  EXPECT_THAT(given.series[0].x, ElementsAre(1, 2, 3));
  EXPECT_THAT(given.series[0].y, ElementsAre(1, 0.5, 0));
  description["centred"] = true;
  EXPECT_THAT(figure_of(description).series[0].y, ElementsAre(1, 0.9));
}

TEST(FigureOf, CosinesAreCurvesOverTheMiddlesOfTheirBins_AndSayHowManyPairs) {
  json description = {{"name", "c"}, {"kind", "cosines"}, {"caption", "Cosines."}, {"geometry", two_buckets()}};
  const Figure figure = figure_of(description);
  ASSERT_EQ(figure.series.size(), 2U);
  EXPECT_EQ(figure.series[1].name, "never seen");
  EXPECT_THAT(figure.series[0].x, ElementsAre(-0.5, 0.5));
  EXPECT_THAT(figure.series[0].y, ElementsAre(0.25, 0.75));
  EXPECT_EQ(figure.caption, "Cosines. Pairs of 4 evenly spaced vectors of larger buckets.");
  description["centred"] = true;
  EXPECT_THAT(figure_of(description).series[0].y, ElementsAre(1, 0));
}

TEST(FigureOf, CosinesLeaveOutBinsThatAreEmptyInAllBuckets) {
  json geometry = two_buckets();
  geometry["buckets"][0]["cosines"] = {0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0};
  geometry["buckets"][1]["cosines"] = {0, 0, 0, 0, 0, 0.5, 0.5, 0, 0, 0};
  const Figure figure = figure_of({{"name", "c"}, {"kind", "cosines"}, {"geometry", geometry}});
  EXPECT_THAT(figure.series[0].y, ElementsAre(0, 0.5, 0.5, 0, 0));
  EXPECT_NEAR(figure.series[1].x.front(), -0.3, 1e-12);
}

TEST(FigureOf, ProjectionIsACloudABucket_AndSaysHowItIsThinned) {
  const Figure figure = figure_of({{"name", "p"}, {"kind", "projection"}, {"geometry", two_buckets()}});
  EXPECT_EQ(figure.kind, Figure::Kind::points);
  ASSERT_EQ(figure.series.size(), 2U);
  EXPECT_THAT(figure.series[1].y, ElementsAre(3, 4));
  EXPECT_EQ(figure.caption, "2 evenly spaced vectors of larger buckets.");
  json whole = two_buckets();
  whole["cloud_rows"] = 9;
  EXPECT_EQ(figure_of({{"name", "p"}, {"kind", "projection"}, {"geometry", whole}}).caption, "");
}

TEST(FigureOf, GeometryOfTrainingsIsACurveOverTheirSteps) {
  const json point = {
      {"step", 0}, {"epoch", 0.0}, {"mean_cosine", 0.25}, {"condition_number", "inf"}, {"centred", {{"mean_cosine", nullptr}}}};
  json later = point;
  later.update({{"step", 8}, {"mean_cosine", 0.5}, {"centred", {{"mean_cosine", 0.125}}}});
  json description = {{"name", "g"}, {"kind", "geometry"}, {"runs", {{"plain", {{"geometry", {point, later}}}}}}};
  const Figure given = figure_of(description);
  EXPECT_THAT(given.series.at(0).x, ElementsAre(0, 8));
  EXPECT_THAT(given.series.at(0).y, ElementsAre(0.25, 0.5));
  description["centred"] = true;
  EXPECT_THAT(figure_of(description).series.at(0).x, ElementsAre(8));  // an undefined number is no point
  description["metric"] = "mean_cosin";
  EXPECT_THAT(testing::message_of(ErrorKind::user, [&] { figure_of(description); }), ::testing::HasSubstr("did you mean 'mean_cosine'"));
  description["runs"] = {{"silent", json::object()}};
  EXPECT_THAT(testing::message_of(ErrorKind::user, [&] { figure_of(description); }), ::testing::HasSubstr("geometry_every"));
}

TEST(FigureOf, SaysWhatAKindDraws_WhenItIsAbsent) {
  for (const auto& [kind, what] : {std::pair("cosines", "geometry"), {"projection", "geometry"}, {"geometry", "runs"}})
    EXPECT_THAT(testing::message_of(ErrorKind::user,
                                    [&, kind = kind] {
                                      figure_of({{"name", "a"}, {"kind", kind}});
                                    }),
                ::testing::HasSubstr(std::string("draws '") + what + "'"));
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
