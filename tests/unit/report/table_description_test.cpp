#include "tsrun/report/table_description.h"

#include "support/temporary_folder.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

#include <gmock/gmock.h>

#include <cmath>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TemporaryFolder;

/// Shaped like the tables of the unified-subspace paper: a train column with gaps, scores, an average.
json described() {
  return {{"name", "transfer"},
          {"caption", "Transfer_A → L"},
          {"columns", {"train", "test", "A>L", "d"}},
          {"rows",
           {{"SST-2", "Rotten Tomatoes", 100.6, 16},
            {nullptr, "WSC", json::array({70.0, 71.0, 72.0}), 100},
            {false, "mean", {{"mean", 85.65}, {"std", 0.5}, {"n", 2}}}}},
          {"note", "Relative performance in %."}};
}

std::string failure_of(const json& description) {
  try {
    free_table_of(description);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    return error.what();
  }
  return "accepted";
}

TEST(FreeTables, LineNumbersUpAndLeaveHolesEmpty) {
  EXPECT_EQ(table_as_text(free_table_of(described())),
            "Transfer_A → L\n\n"
            "train   test                         A>L     d\n"
            "SST-2   Rotten Tomatoes            100.6    16\n"
            "        WSC               71.0 ± 1.0 (3)   100\n"
            "        mean              85.7 ± 0.5 (2)\n\n"
            "Relative performance in %. Mean ± sample deviation, with the number of values in brackets.\n");
}

TEST(FreeTables, KeepFullPrecisionInCsv_WithDeviationAndCountBeside) {
  EXPECT_EQ(table_as_csv(free_table_of(described())),
            "train,test,A>L,A>L deviation,A>L n,d\n"
            "SST-2,Rotten Tomatoes,100.6,,1,16\n"
            ",WSC,71,1,3,100\n"
            ",mean,85.65,0.5,2,\n");
}

TEST(FreeTables, EscapeWhatMarkdownAndLatexWouldRead) {
  const FreeTable table = free_table_of(described());
  EXPECT_THAT(table_as_markdown(table), HasSubstr("| train | test | A>L | d |\n| :--- | :--- | ---: | ---: |\n| SST-2 |"));
  EXPECT_THAT(table_as_latex(table), HasSubstr("\\caption{Transfer\\_A $\\to$ L. Relative performance in \\%."));
  EXPECT_THAT(table_as_latex(table), HasSubstr("\\begin{tabular}{llrr}"));
  EXPECT_THAT(table_as_latex(table), HasSubstr("A\\textgreater{}L"));
}

TEST(FreeTables, SayTheCountOnce_WhenItIsTheSameEverywhere) {
  const FreeTable table = free_table_of(
      {{"name", "t"}, {"columns", {"a", "b"}}, {"digits", {3, 0}}, {"rows", {{json::array({0.5, 0.7}), json::array({1, 3})}}}});
  EXPECT_THAT(table_as_text(table), HasSubstr("0.600 ± 0.141   2 ± 1\n\nMean ± sample deviation over 2 values.\n"));
}

TEST(FreeTables, ShowADashForWhatIsNoNumberAndForTheSpreadOfOneValueAmongOthers) {
  const FreeTable table =
      free_table_of({{"name", "t"}, {"columns", {"a", "b", "c"}}, {"rows", {{std::nan(""), json::array({0.5}), json::array({1, 3})}}}});
  EXPECT_THAT(table_as_text(table), HasSubstr("–   0.5 ± – (1)   2.0 ± 1.4 (2)"));
}

TEST(FreeTables, ShowNoSpread_WhereEveryCellHasOneValue) {
  const FreeTable table = free_table_of({{"name", "t"}, {"columns", {"a", "b"}}, {"rows", {{std::nan(""), json::array({0.5})}}}});
  EXPECT_THAT(table_as_text(table), AllOf(HasSubstr("–   0.5\n"), HasSubstr("Of one seed: the spread is not known."), Not(HasSubstr("±"))));
  EXPECT_EQ(table_as_csv(table), "a,b,b deviation,b n\n,0.5,,1\n");
}

TEST(FreeTables, NameTheCellThatIsWrong) {
  json wrong = described();
  wrong["rows"][1][2] = true;
  EXPECT_THAT(failure_of(wrong), HasSubstr("'Transfer_A → L': row 2, column 'A>L': expected a text, a number, a list of numbers"));
  wrong = described();
  wrong["rows"][0].push_back(3);
  EXPECT_THAT(failure_of(wrong), HasSubstr("row 1: 5 cells, but the table has 4 columns"));
  wrong = described();
  wrong["rows"][2][2] = {{"mean", 1}, {"sd", 2}};
  EXPECT_THAT(failure_of(wrong), HasSubstr("unknown 'sd' (did you mean 'std'?)"));
  wrong = described();
  wrong["digits"] = {1, 2};
  EXPECT_THAT(failure_of(wrong), HasSubstr("option 'digits' has 2 numbers, expected one, or 4"));
  wrong = described();
  wrong["columns"] = json::array();
  EXPECT_THAT(failure_of(wrong), HasSubstr("no columns"));
}

TEST(FreeTables, StandOnThePageWithFilesOfTheirOwn) {
  const TemporaryFolder folder;
  ReportPage page;
  page.head.title = "Tables only";
  page.tables = {free_table_of(described())};
  const std::string html = read_text(write_report(page, folder.path()));
  EXPECT_THAT(html, HasSubstr("<p class=\"caption\">Transfer_A → L</p>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"words\">Rotten Tomatoes</td>"));
  EXPECT_THAT(html, HasSubstr("href=\"transfer.csv\""));
  EXPECT_THAT(html, Not(HasSubstr("Always predicting the most frequent answer")));
  for (const char* file : {"transfer.csv", "transfer.md", "transfer.tex"})
    EXPECT_TRUE(std::filesystem::exists(folder.path() / file)) << file;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "table.csv"));
}

TEST(FreeTables, NeverWriteOverFilesOfAnother) {
  const TemporaryFolder folder;
  ReportPage page;
  page.tables = {free_table_of(described()), free_table_of(described())};
  EXPECT_THROW(write_report(page, folder.path()), Error);
  page.tables.pop_back();
  for (const char* taken : {"table", "resources", "../up", ""}) {
    page.tables.front().name = taken;
    EXPECT_THROW(write_report(page, folder.path()), Error) << taken;
  }
}

ResourceRow resource(const std::string& variant, const std::string& key, double seconds, int64_t peak) {
  return {.variant = variant,
          .key = key,
          .seconds = seconds,
          .peak_memory_bytes = peak,
          .memory_before_bytes = peak / 2,
          .machine = "here, 2 threads",
          .trainable = 96,
          .bytes_shipped = 384,
          .step_seconds = seconds / 8,
          .trainable_share = 0.25,
          .forward_share = 1,
          .backward_share = 0.5};
}

TEST(Resources, CountAStageOnceAndAverageOverSeeds) {
  const FreeTable table = resource_table({resource("lora", "a", 2, 400000000), resource("lora", "b", 4, 400000000),
                                          resource("full", "c", 9, 0), resource("lora", "a", 2, 400000000)});
  const std::string text = table_as_text(table);
  EXPECT_THAT(text, HasSubstr("3.0 ± 1.4"));
  EXPECT_THAT(text, HasSubstr("400 ± 0"));
  EXPECT_THAT(text, HasSubstr("200 ± 0"));
  EXPECT_THAT(text, HasSubstr("here, 2 threads"));
  EXPECT_EQ(table.rows.size(), 2U);
  EXPECT_THAT(text, HasSubstr("375.0 ± 176.8"));
  EXPECT_THAT(text, HasSubstr("25.0 ± 0.0"));
  EXPECT_EQ(table.rows[1][3].kind, FreeTable::Entry::Kind::empty) << "a record without memory claims none";
}

TEST(Resources, MakeAFigureOfScoreAgainstTheTimeOfAStep) {
  const std::vector<ReportRow> rows = {{.variant = "lora", .section = "", .seed = 1, .last = 0.5},
                                       {.variant = "lora", .section = "", .seed = 2, .last = 0.7},
                                       {.variant = "evaluated", .section = "", .seed = 1, .last = 0.4}};
  const Figure figure = cost_figure({.title = "t", .model = "m", .task = "t", .split = "dev", .metric = "accuracy"}, summarise(rows),
                                    {resource("lora", "a", 2, 1), resource("lora", "b", 4, 1), resource("lora", "a", 2, 1)});
  ASSERT_EQ(figure.series.size(), 1U) << "what was not trained has no step";
  EXPECT_EQ(figure.series[0].x, (std::vector<double>{250, 500}));
  EXPECT_EQ(figure.series[0].y, (std::vector<double>{0.5, 0.7}));
}

TEST(Resources, SayOnceInTheFigureWhatAllNamesEndWith) {
  const auto names_and_caption = [](const std::string& one, const std::string& other) {
    const std::vector<ReportRow> rows = {{.variant = one, .section = "", .seed = 1, .last = 0.5},
                                         {.variant = other, .section = "", .seed = 1, .last = 0.7}};
    const Figure figure = cost_figure({.title = "t", .model = "m", .task = "t", .split = "dev", .metric = "accuracy"}, summarise(rows),
                                      {resource(one, "a", 2, 1), resource(other, "b", 4, 1)});
    return figure.series.at(0).name + "|" + figure.series.at(1).name + "|" + figure.caption;
  };
  EXPECT_EQ(names_and_caption("full, lr 1, x", "last 3, y, lr 1, x"), "full|last 3, y|All with lr 1, x.");
  EXPECT_EQ(names_and_caption("full, lr 1", "last 3, lr 2"), "full, lr 1|last 3, lr 2|");
  EXPECT_EQ(names_and_caption("full, lr 1", ", lr 1"), "full, lr 1|, lr 1|");
}

}  // namespace
}  // namespace tsrun
