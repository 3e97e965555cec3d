// Summaries of rows, and their tables in every form.
#include "tsrun/base/error.h"
#include "unit/report/made_rows.h"

#include <gmock/gmock.h>

#include <cmath>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

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

TEST(TextTable, HasNoShareOfAPrediction_WhereNothingIsPredicted) {
  ReportRow perplexity = row("full", 1, 9, 8);
  perplexity.top_answer_share = 0;
  const std::string text = table_as_text(head(), summarise({perplexity}));
  EXPECT_THAT(text, ::testing::AllOf(Not(HasSubstr("most frequent")), HasSubstr("trainable"), HasSubstr("11,171,074")));
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

TEST(BestMean, IsTheLowestOfAPerplexity) {
  TableHead of_text = head();
  of_text.metric = "perplexity";
  const auto rows = summarise({row("cosine", 1, 90, 90), row("none", 1, 100, 100)});
  EXPECT_THAT(table_as_markdown(of_text, rows), AllOf(HasSubstr("**90.000"), Not(HasSubstr("**100.000"))));
  EXPECT_THAT(table_as_markdown(head(), rows), AllOf(HasSubstr("**100.000"), Not(HasSubstr("**90.000"))));
}

}  // namespace
}  // namespace tsrun
