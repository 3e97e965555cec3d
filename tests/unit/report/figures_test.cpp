// Figures as gnuplot draws them.
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "unit/report/made_rows.h"

#include <gmock/gmock.h>

#include <cmath>

namespace tsrun {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Figure spikes() {
  Figure figure;
  figure.name = "positions";
  figure.kind = Figure::Kind::positions;
  figure.series.resize(1);
  figure.series[0].name = "layer 0";
  figure.series[0].y.assign(200000, 0.001);
  figure.series[0].y[123456] = 7.5;
  figure.series[0].horizontal_lines = {0.5, -0.5};
  return figure;
}

TEST_F(ReportFolder, PositionsKeepTheirOutlierWhenManyPointsAreReduced) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  draw_figure(spikes(), path_);
  const std::string data = read_text(path_ / "positions.dat");
  EXPECT_THAT(data, HasSubstr(" 7.5\n"));
  EXPECT_LT(std::count(data.begin(), data.end(), '\n'), 4000);
}

TEST_F(ReportFolder, FigureHasRealTextScalesAndFollowsTheTheme) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const auto path = draw_figure(score_figure(head(), two_variants()), path_);
  ASSERT_TRUE(path.has_value());
  const std::string svg = read_text(*path);
  EXPECT_THAT(svg, HasSubstr("viewBox="));
  EXPECT_THAT(svg, HasSubstr("width=\"100%\""));
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(svg, HasSubstr("random_d=16 100% &lt;b"));
  EXPECT_THAT(svg, HasSubstr("<circle "));
  EXPECT_THAT(svg, Not(HasSubstr("xlink")));
  EXPECT_THAT(svg, Not(HasSubstr(" id=")));
}

TEST_F(ReportFolder, ScriptDrawsAgainByHand) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  draw_figure(spikes(), path_);
  std::filesystem::remove(path_ / "positions.svg");
  EXPECT_EQ(std::system(("cd '" + path_.string() + "' && gnuplot positions.gp").c_str()), 0);
  EXPECT_TRUE(std::filesystem::exists(path_ / "positions.svg"));
}

TEST_F(ReportFolder, LabelsAreNeverRunAsCommands) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  const std::string trap = "x'`touch trap`\"\n!touch trap\n$(touch trap)";
  draw_figure(score_figure(head(), summarise({row(trap, 1, 0.5, 0.5, trap), row("b", 1, 0.6, 0.6)})), path_);
  EXPECT_FALSE(std::filesystem::exists(path_ / "trap"));
}

TEST_F(ReportFolder, FigureNamesCannotLeaveTheFolder) {
  Figure figure = spikes();
  figure.name = "../positions";
  EXPECT_THROW(draw_figure(figure, path_), Error);
}

TEST_F(ReportFolder, BadFiguresAreUserErrorsThatNameThem) {
  Figure figure;
  figure.name = "empty";
  EXPECT_THROW(draw_figure(figure, path_), Error);
  figure.series.resize(1);
  figure.series[0].labels = {"a", "b"};
  figure.series[0].y = {1};
  try {
    draw_figure(figure, path_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("2 labels for 1 values"));
  }
}

TEST_F(ReportFolder, AllNonFiniteValuesAreRefused_SomeAreLeftOut) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  Figure figure = score_figure(head(), summarise({row("a", 1, std::nan(""), 0)}));
  EXPECT_THROW(draw_figure(figure, path_), Error);
  EXPECT_TRUE(draw_figure(score_figure(head(), summarise({row("a", 1, std::nan(""), 0), row("b", 1, 0.5, 0.5)})), path_).has_value());
}

TEST_F(ReportFolder, DotsOfWholeNumbersHaveNoTicksBetweenThem) {
  Figure figure;
  figure.name = "layers";
  figure.series = {{"", {"first", "last"}, {}, {1, 2}, {}, {}}};
  draw_figure(figure, path_);
  EXPECT_THAT(read_text(path_ / "layers.gp"), HasSubstr("set xtics 1\n"));
  figure.series[0].y = {1, 1.5};
  draw_figure(figure, path_);
  EXPECT_THAT(read_text(path_ / "layers.gp"), HasSubstr("set xtics 0.1\n"));
}

TEST_F(ReportFolder, EveryKindOfFigureIsDrawn) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  Figure figure;
  figure.name = "spectrum";
  figure.kind = Figure::Kind::lines;
  figure.log_y = true;
  figure.series = {{"layer 0", {}, {1, 2, 3}, {1, 0.1, 0}, {}, {}}, {"layer 1", {}, {1, 2}, {2, 0.2}, {}, {}}};
  EXPECT_TRUE(draw_figure(figure, path_).has_value());
  figure.name = "cloud";
  figure.kind = Figure::Kind::points;
  figure.log_y = false;
  const auto cloud = draw_figure(figure, path_);
  ASSERT_TRUE(cloud.has_value());
  EXPECT_THAT(read_text(*cloud), HasSubstr("<circle"));
  figure.name = "kinds";
  figure.kind = Figure::Kind::bars;
  figure.series = {{"intrinsic", {"key", "value"}, {}, {0.3, 0.1}, {}, {}}, {"random", {"key"}, {}, {0.2}, {}, {}}};
  EXPECT_TRUE(draw_figure(figure, path_).has_value());
}

TEST_F(ReportFolder, ScatterNamesEveryPointAndJoinsWhatNothingBeats) {
  if (!gnuplot_is_installed()) GTEST_SKIP() << "gnuplot is not installed";
  Figure figure;
  figure.name = "pareto";
  figure.kind = Figure::Kind::scatter;
  figure.log_x = figure.frontier = true;
  figure.series = {
      {"small & good", {}, {100, 100}, {0.8, 0.9}, {}, {}}, {"beaten", {}, {1000}, {0.7}, {}, {}}, {"large", {}, {1e6}, {0.9}, {}, {}}};
  const std::string svg = read_text(draw_figure(figure, path_).value());
  for (const char* name : {"small &amp; good", "beaten", "large"}) EXPECT_THAT(svg, HasSubstr(name));
  const std::string data = read_text(path_ / "pareto.dat");
  EXPECT_THAT(data, HasSubstr("100 0.85"));
  EXPECT_THAT(data.substr(data.find("\n\n\n")), Not(HasSubstr("1000 0.7")))
      << "a point with more numbers and a lower score is on the frontier";
}

}  // namespace
}  // namespace tsrun
