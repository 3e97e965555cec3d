// Landscapes and heat maps.
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "unit/report/made_rows.h"

#include <gmock/gmock.h>

#include <cmath>

namespace tsrun {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Figure plane() {
  Figure figure;
  figure.name = "plane";
  figure.kind = Figure::Kind::landscape;
  figure.landscape.panels = {{"adapter", {{0.1, 0.95, 0.2}, {0.95, std::nan(""), 0.3}}}, {"lora <1>", {{0.1, 0.2, 0.3}, {0.4, 0.5, 0.6}}}};
  figure.landscape.marks = {{"centroid", 0.5, 0.5}, {"adapter's own", 0.5, 0.6}};
  figure.landscape.x = {0, 2};
  figure.landscape.y = {0, 1};
  figure.landscape.threshold = 0.9;
  figure.landscape.scale = "relative performance";
  return figure;
}

TEST_F(ReportFolder, LandscapeTellsTheShareOfGoodCellsAndKeepsItsColours) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const std::string svg = read_text(draw_figure(plane(), path_).value());
  for (const char* text : {"adapter", "lora &lt;1", "centroid", "relative performance", "33% of cells ≥ 0.9", "0% of cells ≥ 0.9"})
    EXPECT_THAT(svg, HasSubstr(text));
  EXPECT_THAT(svg, HasSubstr("253, 231,  37")) << "the lightest colour of the scale";
  EXPECT_EQ(std::system(("xmllint --noout '" + (path_ / "plane.svg").string() + "' 2>/dev/null || [ $? -eq 127 ]").c_str()), 0);
}

TEST_F(ReportFolder, LandscapeCutsNamesThatWouldRunIntoTheNextPanel) {
  Figure figure = plane();
  figure.landscape.panels.insert(figure.landscape.panels.begin(), figure.landscape.panels.front());
  figure.landscape.panels.front().name = "ééééééééééééééééééééééééééééééééééé a low-rank code of the update";
  draw_figure(figure, path_);
  const std::string script = read_text(path_ / "plane.gp");
  EXPECT_THAT(script, HasSubstr("ééé…'"));
  EXPECT_THAT(script, Not(HasSubstr("low-rank")));
}

TEST_F(ReportFolder, LandscapeOutlinesExactlyTheCellsThatReachTheThreshold) {
  Figure figure = plane();
  figure.landscape.panels.resize(1);
  figure.landscape.panels[0].values = {{0.9, 0.9, 0.1}, {0.1, 0.1, 0.1}};  // two cells side by side: six edges
  draw_figure(figure, path_);
  const std::string data = read_text(path_ / "plane.dat");
  const size_t outline = data.find("\n\n\n") + 3;
  const std::string block = data.substr(outline, data.find("NaN NaN NaN NaN") - outline);
  EXPECT_EQ(std::count(block.begin(), block.end(), '\n'), 6) << block;
  EXPECT_THAT(block, HasSubstr("-0.5 -0.5 1 0\n"));
  EXPECT_THAT(block, HasSubstr("1.5 -0.5 0 1\n"));
}

TEST_F(ReportFolder, HeatMapWritesEveryNumberInAColourThatCanBeReadOnItsCell) {
  Figure figure;
  figure.name = "drops";
  figure.kind = Figure::Kind::heat_map;
  figure.heat_map = {{"rte", "cola's"}, {"freeze", "random"}, {{-1.25, 30.5}, {std::nan(""), 12}}, 1};
  draw_figure(figure, path_);
  const std::string script = read_text(path_ / "drops.gp"), data = read_text(path_ / "drops.dat");
  EXPECT_THAT(script, HasSubstr("set label '-1.2' at first 0,0 center front textcolor rgb '#ffffff'"));
  EXPECT_THAT(script, HasSubstr("set label '30.5' at first 1,0 center front textcolor rgb '#101010'"));
  EXPECT_THAT(data, HasSubstr("1 1 12\n"));
  EXPECT_THAT(data, Not(HasSubstr("nan")));
  figure.heat_map.values.pop_back();
  EXPECT_THROW(draw_figure(figure, path_), Error);
  figure.heat_map.values = {{1}, {2}};
  EXPECT_THROW(draw_figure(figure, path_), Error);
}

TEST_F(ReportFolder, LandscapesThatDoNotFitTogetherAreUserErrors) {
  const auto failure = [&](const Figure& figure) -> std::string {
    try {
      draw_figure(figure, path_);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      return error.what();
    }
    return "accepted";
  };
  Figure figure = plane();
  figure.landscape.panels[1].values[1].pop_back();
  EXPECT_THAT(failure(figure), HasSubstr("panel 'lora <1>': row 2 has 2 values"));
  figure = plane();
  figure.landscape.panels[1].values.pop_back();
  EXPECT_THAT(failure(figure), HasSubstr("1 rows of values"));
  figure = plane();
  figure.landscape.y = {1, 1};
  EXPECT_THAT(failure(figure), HasSubstr("y goes from 1 to 1"));
  figure.landscape.panels.clear();
  EXPECT_THAT(failure(figure), HasSubstr("has no panels"));
  figure = plane();
  for (auto& panel : figure.landscape.panels)
    for (auto& row : panel.values) row.assign(3, std::nan(""));
  EXPECT_THAT(failure(figure), HasSubstr("no finite value"));
}

}  // namespace
}  // namespace tsrun
