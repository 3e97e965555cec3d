#include "unit/lua/fixture.h"

#include "tsrun/base/files.h"
#include "tsrun/train/diverged.h"

#include <chrono>
#include <thread>

namespace tsrun {
namespace {

class SweepTest : public RecipeTest {
 protected:
  /// The lock of ts.square{ x = x }, as another process would hold it.
  FileLock hold(int x) {
    Store store(folder_ / "store");
    auto lock = FileLock::try_lock(folder_ / "store" / "locks" / StageKey{"square", {{"x", x}}, make_lab()->made_by("square")}.digest());
    EXPECT_TRUE(lock);
    return std::move(*lock);
  }
};

TEST_F(SweepTest, CoversTheGrid_InAStableOrder) {
  run(R"(local ts = require "ts"
         local list = ts.sweep({ seed = { 1, 2 }, dim = { 4, 8 } }, function(at) return at.dim .. "/" .. at.seed end)
         ts.keep{ list = list })");
  EXPECT_EQ(kept_[0]["list"], json({"4/1", "4/2", "8/1", "8/2"}));
}

TEST_F(SweepTest, GoesOn_WhenAnotherProcessComputesAStage_AndKeepsTheOrder) {
  auto lock = std::make_unique<FileLock>(hold(2));
  Operation release;
  release.name = "release";
  release.doc = "Ends what the other process does.";
  release.run = [&](Lab&, const Options&) {
    lock.reset();
    return json::object();
  };
  more_ = {release};
  run(R"(local ts = require "ts"
         local list = ts.sweep({ x = { 2, 3, 4 } }, function(at)
           local value = ts.square{ x = at.x }.value
           ts.keep{ value = value }
           if at.x == 4 then ts.release{} end
           return value
         end)
         ts.keep{ list = list })");
  ASSERT_EQ(kept_.size(), 4u);
  EXPECT_EQ(kept_[0]["value"], 9) << "the second point ran while the first waited";
  EXPECT_EQ(kept_[3]["list"], json({4, 9, 16}));
}

TEST_F(SweepTest, WaitsOutsideASweep) {
  auto lock = std::make_unique<FileLock>(hold(2));
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    lock.reset();
  });
  run("local ts = require 'ts'\nts.keep{ value = ts.square{ x = 2 }.value }");
  release.join();
  EXPECT_EQ(kept_[0]["value"], 4);
}

TEST_F(SweepTest, NestsAndSuspendsThroughPcall) {
  auto lock = std::make_unique<FileLock>(hold(3));
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    lock.reset();
  });
  run(R"(local ts = require "ts"
         local outer = ts.sweep({ a = { 1, 2 } }, function(at)
           local inner = ts.sweep({ b = { 1, 2 } }, function(here)
             local ok, r = pcall(ts.square, { x = at.a + here.b })
             return r.value
           end)
           return inner[1] + inner[2]
         end)
         ts.keep{ outer = outer })");
  release.join();
  EXPECT_EQ(kept_[0]["outer"], json({13, 25}));
}

TEST_F(SweepTest, NamesTheLine_OfAPointThatFails) {
  const auto error = failure("local ts = require 'ts'\nts.sweep({ x = { 1, 2 } }, function(at)\n  ts.square{ x = at.x, epoch = 1 }\nend)");
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_STREQ(error.what(), "recipe.lua:3: square: unknown option 'epoch' (did you mean 'epochs'?)");
  EXPECT_THAT(failure("local ts = require 'ts'\nts.sweep({ x = { 1 } }, function(at) return at.y + 1 end)").what(),
              StartsWith("recipe.lua:2: no axis 'y'"));
}

TEST_F(SweepTest, RefusesAnEmptyAxis) {
  EXPECT_THAT(failure("local ts = require 'ts'\nts.sweep({ x = {} }, print)").what(), StartsWith("recipe.lua:2: sweep: axis 'x' is empty"));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.sweep({ x = 3 }, print)").what(),
              StartsWith("recipe.lua:2: sweep: axis 'x': expected a table"));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.sweep({ x = { 1 } })").what(), StartsWith("recipe.lua:2: sweep: expected a function"));
}

TEST_F(SweepTest, AnnouncesBeginningAndEnd_OfASweepOfSeveralPoints) {
  std::vector<int64_t> sweeps;
  settings_.on_sweep = [&](int64_t points) { sweeps.push_back(points); };
  run("local ts = require 'ts'\nts.sweep({ x = { 1 } }, function() end)\nts.sweep({ x = { 1, 2 }, y = { 1, 2, 3 } }, function() end)");
  EXPECT_EQ(sweeps, (std::vector<int64_t>{0, 6, 0}));
}

TEST_F(SweepTest, PrintsInGridOrder) {
  auto lock = std::make_unique<FileLock>(hold(1));
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    lock.reset();
  });
  ::testing::internal::CaptureStdout();
  run("local ts = require 'ts'\nts.sweep({ x = { 1, 2, 3 } }, function(at) print('x', ts.square{ x = at.x }.value) end)\nprint('end')");
  release.join();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "x\t1\nx\t4\nx\t9\nend\n");
}

/// ts.fit{ x }: a training that diverges where x is 2 or 3.
Operation fit() {
  Operation fit;
  fit.name = "fit";
  fit.doc = "Trains.";
  fit.options = {{.name = "x", .type = OptionType::integer, .doc = "Number.", .required = true}};
  fit.run = [](Lab&, const Options& options) -> json {
    const auto x = options.integer("x");
    if (x == 2 || x == 3) throw Diverged(fmt::format("step 4: the loss of {} is nan", x), "loss not finite in step 4", 3);
    return {{"value", x}};
  };
  return fit;
}

TEST_F(SweepTest, RunsTheOtherPoints_BeforeItFailsByOneThatDiverges) {
  more_ = {fit()};
  const auto error = failure(R"(local ts = require "ts"
         ts.sweep({ x = { 1, 2, 3, 4 } }, function(at)
           ts.fit{ x = at.x }
           ts.keep{ value = ts.square{ x = at.x }.value }
         end)
         ts.keep{ value = 0 })");
  EXPECT_EQ(error.kind(), ErrorKind::run);
  EXPECT_THAT(error.what(), StartsWith("recipe.lua:3: step 4: the loss of 2 is nan"));
  ASSERT_EQ(kept_.size(), 2U) << "the points in front and behind, and nothing after the sweep";
  EXPECT_EQ(kept_[1]["value"], 16);
}

TEST_F(SweepTest, RunsTheOtherPoints_OfAnInnerSweepToo) {
  more_ = {fit()};
  run(R"(local ts = require "ts"
         local outer = ts.sweep({ a = { 1, 5 } }, function(at)
           local ok, err = pcall(ts.sweep, { x = { 0, 1, 2 } }, function(here)
             ts.fit{ x = at.a + here.x }
             ts.keep{ value = at.a + here.x }
           end)
           return ok and "all" or err.diverged
         end)
         ts.keep{ outer = outer })");
  ASSERT_EQ(kept_.size(), 5U);
  EXPECT_EQ(kept_[4]["outer"], json({"loss not finite in step 4", "all"}));
}

TEST_F(SweepTest, EndsAtOnce_ByAnyOtherError) {
  failure(R"(local ts = require "ts"
         ts.sweep({ x = { 1, 2, 3 } }, function(at)
           ts.keep{ value = at.x }
           if at.x == 2 then error "lost" end
         end))");
  EXPECT_EQ(kept_.size(), 2U);
}

using ReportTest = SweepTest;

TEST_F(ReportTest, NotesASelectorThatGaveNoScope_OnceAVariant) {
  ::testing::internal::CaptureStdout();
  run(R"(local ts = require "ts"
    local report = ts.report "Title"
    for seed = 1, 2 do
      report:row("late", {
        seed = seed, best = { score = 1 }, last = { score = 1 }, model = { spec = "m" }, steps = 6,
        task = { spec = "t", metric = "accuracy", splits = { dev = { majority_score = 0.5 } } },
        plugins = { { name = "autofreeze", undecided = true }, { name = "lisa" } },
      })
    end)");
  ::testing::internal::GetCapturedStdout();
  std::string page;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "runs"))
    if (entry.path().filename() == "report.html") page = read_text(entry.path());
  const std::string note = "late: autofreeze gave no scope in 6 steps: nothing was frozen or masked.";
  EXPECT_THAT(page, HasSubstr(note));
  EXPECT_EQ(page.find(note, page.find(note) + 1), page.npos) << "two seeds, one note";
}

TEST_F(ReportTest, CollectsRowsInGridOrder_AndSavesItselfAtTheEnd) {
  ::testing::internal::CaptureStdout();
  run(R"(local ts = require "ts"
    local function result(score, seed)
      return { seed = seed, best = { score = score }, last = { score = score }, model = { spec = "m" },
               task = { spec = "t", metric = "accuracy", splits = { dev = { majority_score = 0.5 } } } }
    end
    local report = ts.report("Title", { folder = "part" })
    report:row("before", result(0.25, 1))
    ts.sweep({ x = { 1, 2 }, y = { 1, 2 } }, function(at) report:row("v" .. at.x, result(at.x / 4 + at.y / 8, at.y), "section") end)
    report:note "after")");
  ::testing::internal::GetCapturedStdout();
  std::vector<std::filesystem::path> tables;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "runs"))
    if (entry.path().filename() == "table.csv") tables.push_back(entry.path());
  ASSERT_EQ(tables.size(), 1U);
  EXPECT_EQ(tables.front().parent_path().filename(), "part");
  std::ifstream file(tables.front());
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_THAT(lines[1], StartsWith(",before,m,t,dev,accuracy,0.5,1,0.25,"));
  EXPECT_THAT(lines[2], StartsWith("section,v1,m,t,dev,accuracy,0.5,2,0.4375,"));
  EXPECT_THAT(lines[3], StartsWith("section,v2,m,t,dev,accuracy,0.5,2,0.6875,"));
}

TEST_F(ReportTest, WritesTablesWithHoles_InGridOrder) {
  ::testing::internal::CaptureStdout();
  run(R"(local ts = require "ts"
    local report = ts.report "Title"
    ts.sweep({ x = { 1, 2 } }, function(at)
      report:table("Transfer " .. at.x, { columns = { "d", 2, 4 }, digits = 2, rows = { { "a", nil, at.x / 2 }, { nil, { 1.0, 2.0 } } } })
    end))");
  const std::string out = ::testing::internal::GetCapturedStdout();
  EXPECT_LT(out.find("Transfer 1"), out.find("Transfer 2"));
  EXPECT_THAT(out, HasSubstr("transfer_2.csv"));
  std::vector<std::string> tables;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / "runs"))
    if (entry.path().filename() == "transfer_2.csv") tables.push_back(read_text(entry.path()));
  ASSERT_EQ(tables.size(), 1U);
  EXPECT_EQ(tables[0], "d,2,2 deviation,2 n,4\na,,,,1\n,1.5,0.7071067811865476,2,\n");
}

TEST_F(ReportTest, NamesTheCellThatIsWrong_InAPlanToo) {
  plan_only_ = true;
  EXPECT_THAT(failure("local ts = require 'ts'\nts.report('T'):table('C', { columns = { 'a' }, rows = { { 1, 2 } } })").what(),
              HasSubstr("report: table 'C': row 1: found a cell '2', but the table has 1 columns"));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.report('T'):table('C', { columns = { 'a' }, rows = { { true } } })").what(),
              HasSubstr("row 1, column 'a': expected a text"));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.report('T'):table('C', { columns = { 'a' }, nte = 'x' })").what(),
              HasSubstr("unknown option 'nte' (did you mean 'note'?)"));
}

TEST_F(ReportTest, NamesTheNearMiss_OfItsMethodsAndOptions) {
  EXPECT_STREQ(failure("local ts = require 'ts'\nlocal r = ts.report 'T'\nr:rwo('a', {})").what(),
               "recipe.lua:3: report: unknown method 'rwo' (did you mean 'row'?)");
  EXPECT_THAT(failure("local ts = require 'ts'\nts.report('T', { fodler = 'x' })").what(), HasSubstr("did you mean 'folder'?"));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.report('T'):row('a', 3)").what(),
              StartsWith("recipe.lua:2: report: row 'a': expected a result"));
}

}  // namespace
}  // namespace tsrun
