#include "tsrun/report/report.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

ReportRow row(const std::string& variant, int64_t seed, double last, double best, const std::string& section = "") {
  ReportRow out;
  out.variant = variant;
  out.section = section;
  out.seed = seed;
  out.last = last;
  out.best = best;
  out.top_answer_share = 0.5;
  out.trainable = 11171074;
  out.degrees_of_freedom = 96;
  out.bytes_shipped = 44684296;
  return out;
}

TableHead head() { return {"A <title> & more", "builtin:bert-mini", "builtin:entailment", "dev", "accuracy", 0.512}; }

std::vector<VariantSummary> two_variants() {
  return summarise({row("full", 1, 0.9, 0.92), row("full", 2, 0.92, 0.93), row("random_d=16 100% <b>", 1, 0.7, 0.75, "subspaces"),
                    row("random_d=16 100% <b>", 2, 0.74, 0.75, "subspaces")});
}

class ReportFolder : public ::testing::Test {
 protected:
  ReportFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tsrun_report_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~ReportFolder() override { std::filesystem::remove_all(path_); }
  std::filesystem::path path_;
};

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

bool gnuplot_is_installed() { return std::system("command -v gnuplot >/dev/null 2>&1") == 0; }

TEST(Summary, UsesSampleDeviationOverSeeds) {
  const auto rows = summarise({row("a", 1, 0.90, 0.9), row("a", 2, 0.92, 0.9), row("a", 3, 0.94, 0.9)});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].n, 3);
  EXPECT_NEAR(rows[0].last_mean, 0.92, 1e-12);
  EXPECT_NEAR(rows[0].last_deviation, 0.02, 1e-12);
}

TEST(Summary, DoesNotDependOnTheOrderInWhichSeedsFinish) {
  const auto forward = summarise({row("a", 1, 0.1, 0.2), row("a", 2, 0.3, 0.4), row("a", 3, 0.7, 0.8)});
  const auto backward = summarise({row("a", 3, 0.7, 0.8), row("a", 2, 0.3, 0.4), row("a", 1, 0.1, 0.2)});
  EXPECT_EQ(table_as_csv(head(), forward), table_as_csv(head(), backward));
}

TEST(Summary, KeepsSameNamesOfDifferentSectionsApart) {
  EXPECT_EQ(summarise({row("zeroed", 1, 0.1, 0.2, "raw"), row("zeroed", 1, 0.3, 0.4, "delta")}).size(), 2U);
}

TEST(Summary, CountsASeedOnce_AndRefusesTwoResultsForIt) {
  EXPECT_EQ(summarise({row("a", 1, 0.1, 0.2), row("a", 1, 0.1, 0.2)})[0].n, 1);
  try {
    summarise({row("a", 7, 0.1, 0.2), row("a", 7, 0.3, 0.2)});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_THAT(error.what(), HasSubstr("seed 7"));
  }
}

TEST(TextTable, StatesEverythingTheLabPromises) {
  const std::string text = table_as_text(head(), two_variants());
  for (const char* part : {"split dev", "2 seeds", "majority 0.512", "accuracy (last)", "accuracy (best)", "most frequent", "trainable",
                           "dof", "shipped", "0.910 ± 0.014", "11,171,074", "44.7 MB", "50%"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(TextTable, TellsBytesOfBasisAndCoordinates_WhereARowHasThem) {
  ReportRow within = row("within", 1, 0.9, 0.9);
  within.bytes_basis = 1600000;
  within.bytes_coordinates = 384;
  EXPECT_THAT(table_as_text(head(), summarise({within, row("full", 1, 0.9, 0.9)})),
              ::testing::AllOf(HasSubstr("coordinates"), HasSubstr("1.6 MB"), HasSubstr("384 B")));
  EXPECT_THAT(table_as_text(head(), summarise({row("full", 1, 0.9, 0.9)})), Not(HasSubstr("coordinates")));
  const auto again = table_from_json(table_as_json(head(), summarise({within}))).rows.at(0);
  EXPECT_EQ(again.bytes_basis, 1600000);
  EXPECT_EQ(again.bytes_coordinates, 384);
}

TEST(TextTable, AlignsColumnsThatHoldMultibyteCharacters) {
  const std::string text =
      table_as_text(head(), summarise({row("θ0 σ", 1, 0.9, 0.9), row("plain", 1, 0.9, 0.9), row("plain", 2, 0.9, 0.9)}));
  const auto width = [](const std::string& line) {
    return std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
  };
  std::vector<int64_t> widths;
  for (size_t at = text.find("variant"); at < text.size();) {
    const size_t end = text.find('\n', at);
    widths.push_back(width(text.substr(at, end - at)));
    at = end + 1;
  }
  ASSERT_EQ(widths.size(), 3U);
  EXPECT_EQ(widths[0], widths[1]);
  EXPECT_EQ(widths[1], widths[2]);
}

TEST(TextTable, ShowsADashForTheSpreadOfOneSeed) {
  EXPECT_THAT(table_as_text(head(), summarise({row("a", 1, 0.9, 0.9)})), HasSubstr("0.900 ± –"));
}

TEST(CsvTable, KeepsFullPrecisionAndQuotes) {
  const std::string csv = table_as_csv(head(), summarise({row("a, \"b\"", 1, 1.0 / 3.0, 2.0 / 3.0)}));
  EXPECT_THAT(csv, HasSubstr("\"a, \"\"b\"\"\""));
  EXPECT_THAT(csv, HasSubstr("0.3333333333333333"));
}

TEST(LatexTable, EscapesWhatLatexWouldRead) {
  const std::string latex = table_as_latex(head(), two_variants());
  EXPECT_THAT(latex, HasSubstr("random\\_d=16 100\\% \\textless{}b\\textgreater{}"));
  EXPECT_THAT(latex, HasSubstr("\\toprule"));
  EXPECT_THAT(latex, HasSubstr("\\multicolumn{8}{l}{\\emph{subspaces}}"));
  EXPECT_THAT(latex, HasSubstr("$\\pm$"));
}

TEST(MarkdownTable, EscapesPipes) {
  EXPECT_THAT(table_as_markdown(head(), summarise({row("|u| > 3", 1, 0.9, 0.9)})), HasSubstr("\\|u\\| > 3"));
}

TEST(JsonTable, ComesBackEqual) {
  const auto rows = two_variants();
  const ResultTable table = table_from_json(nlohmann::json::parse(table_as_json(head(), rows).dump()));
  EXPECT_EQ(table_as_csv(table.head, table.rows), table_as_csv(head(), rows));
  EXPECT_THROW(table_from_json({{"title", 3}}), Error);
}

TEST(JsonTable, ComesBackWithScoresThatAreNone) {
  const auto rows = summarise({row("a", 1, std::nan(""), 0.5)});
  const ResultTable table = table_from_json(nlohmann::json::parse(table_as_json(head(), rows).dump()));
  EXPECT_EQ(table_as_csv(table.head, table.rows), table_as_csv(head(), rows));
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

TEST(BestMean, IsTheLowestOfAPerplexity) {
  TableHead of_text = head();
  of_text.metric = "perplexity";
  const auto rows = summarise({row("cosine", 1, 90, 90), row("none", 1, 100, 100)});
  EXPECT_THAT(table_as_markdown(of_text, rows), AllOf(HasSubstr("**90.000"), Not(HasSubstr("**100.000"))));
  EXPECT_THAT(table_as_markdown(head(), rows), AllOf(HasSubstr("**100.000"), Not(HasSubstr("**90.000"))));
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

TEST_F(ReportFolder, PageIsSelfContainedAndEscapesEverything) {
  ReportPage page;
  page.head = head();
  page.rows = two_variants();
  page.notes = {"<script>alert(1)</script>"};
  page.run = {{"command", {"tsrun", "<x>"}}, {"arguments", {{"model", "a & b"}}}};
  const std::string html = read_text(write_report(page, path_));
  EXPECT_THAT(html, HasSubstr("A &lt;title&gt; &amp; more"));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("tsrun &lt;x&gt;"));
  EXPECT_THAT(html, HasSubstr("model = a &amp; b"));
  EXPECT_THAT(html, Not(HasSubstr("src=")));
  EXPECT_THAT(html, Not(HasSubstr("@import")));
  for (const char* file : {"table.txt", "table.csv", "table.md", "table.tex"}) EXPECT_TRUE(std::filesystem::exists(path_ / file)) << file;
}

TEST_F(ReportFolder, PageIsTheSameBytesTwice) {
  ReportPage page;
  page.head = head();
  page.rows = two_variants();
  page.figures = {score_figure(page.head, page.rows)};
  const std::string once = read_text(write_report(page, path_));
  EXPECT_EQ(once, read_text(write_report(page, path_)));
}

}  // namespace
}  // namespace tsrun
