// The page of a run.
#include "tsrun/base/files.h"
#include "unit/report/made_rows.h"

#include <gmock/gmock.h>

namespace tsrun {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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
