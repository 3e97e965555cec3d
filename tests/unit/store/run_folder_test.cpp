#include "tsrun/store/run_folder.h"

#include "support/folder_test.h"
#include "tsrun/base/error.h"
#include "tsrun/base/vectors.h"
#include "tsrun/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace tsrun {
namespace {

using ::testing::HasSubstr;

class Runs : public ::testing::Test {
 protected:
  Runs() {
    std::string name = (std::filesystem::temp_directory_path() / "tsrun_runs_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    recipe_ = folder_ / "ablation.lua";
    write_durable(recipe_, std::string_view("return 1"));
  }
  ~Runs() override { std::filesystem::remove_all(folder_); }

  RunDescription description(int dim) const {
    RunDescription out;
    out.recipe = recipe_;
    out.command = {"tsrun", recipe_.string(), "--set", "dim=" + std::to_string(dim)};
    out.arguments = {{"dim", dim}, {"model", "builtin:bert-mini"}};
    out.settings = {{"seed", 1}, {"threads", 2}};
    out.seeds = {1, 2};
    out.versions = {{"tsrun", "0.1.0"}};
    return out;
  }

  std::filesystem::path finished(int dim, double last) const {
    ReportRow row;
    row.variant = "full";
    std::vector<ReportRow> rows;
    for (int64_t seed : {1, 2}) {
      row.seed = seed;
      row.last = row.best = last + 0.01 * static_cast<double>(seed);
      rows.push_back(row);
    }
    RunFolder run = RunFolder::begin(runs(), description(dim));
    run.set_report({{"folder", ""}, {"table", table_as_json({"title", "m", "t", "dev", "accuracy", 0.5}, summarise(rows))}});
    for (auto& row : rows) row.last += 0.1;
    run.set_report({{"folder", "rte"}, {"table", table_as_json({"of rte", "m", "rte", "dev", "accuracy", 0.5}, summarise(rows))}});
    run.finish(RunState::done);
    return run.path();
  }

  std::filesystem::path runs() const { return folder_ / "runs"; }
  std::filesystem::path folder_, recipe_;
};

TEST_F(Runs, RecordIsDurableFromTheStartAndSaysHowItEnded) {
  RunFolder run = RunFolder::begin(runs(), description(16));
  EXPECT_EQ(read_json(run.path() / "run.json")["state"], "running");
  EXPECT_EQ(read_run(run.path())["state"], "running");
  run.finish(RunState::done);
  const auto json = read_run(run.path());
  EXPECT_EQ(json["state"], "done");
  EXPECT_EQ(json["arguments"]["dim"], 16);
  EXPECT_GT(json["peak_memory_bytes"].get<int64_t>(), 0);
  for (const char* field : {"recipe", "settings", "seeds", "versions", "host", "started", "ended", "seconds", "command"}) {
    EXPECT_TRUE(json.contains(field)) << field;
  }
  EXPECT_EQ(json["host"]["vectors"], vectors_name());
}

TEST_F(Runs, SameDescriptionGivesTheSameFolder_OtherArgumentsAnother) {
  const auto first = finished(16, 0.8), again = finished(16, 0.8), other = finished(32, 0.8);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

TEST_F(Runs, OtherLibrariesGiveAnotherFolder_WhereverTheyLie) {
  auto without = description(16), with = without, elsewhere = without, changed = without;
  with.libraries = {{"recipes/lib.lua", "aa"}};
  elsewhere.libraries = {{"/home/recipes/lib.lua", "aa"}};
  changed.libraries = {{"recipes/lib.lua", "ab"}};
  EXPECT_NE(with.digest(), without.digest());
  EXPECT_NE(with.digest(), changed.digest());
  EXPECT_EQ(with.digest(), elsewhere.digest());
  EXPECT_EQ(read_json(RunFolder::begin(runs(), with).path() / "run.json")["libraries"], with.libraries);
}

TEST_F(Runs, EditedRecipeGetsItsOwnFolder) {
  const auto before = finished(16, 0.8);
  write_durable(recipe_, std::string_view("return 2"));
  EXPECT_NE(before, finished(16, 0.8));
}

TEST_F(Runs, TwoAtOnceDoNotShareAFolder) {
  RunFolder first = RunFolder::begin(runs(), description(16));
  RunFolder second = RunFolder::begin(runs(), description(16));
  EXPECT_NE(first.path(), second.path());
}

TEST_F(Runs, KilledProcessReadsAsKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    RunFolder run = RunFolder::begin(runs(), description(16));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(read_run(find_run(runs(), "ablation"))["state"], "killed");
}

TEST_F(Runs, ThrownThroughRunReadsAsFailed) {
  std::filesystem::path path;
  try {
    RunFolder run = RunFolder::begin(runs(), description(16));
    path = run.path();
    run_error("loss is not finite");
  } catch (const Error&) {
  }
  EXPECT_EQ(read_run(path)["state"], "failed");
}

TEST_F(Runs, MetricsStartAfreshAndGrowByLines) {
  for (int time = 0; time < 2; ++time) {
    RunFolder run = RunFolder::begin(runs(), description(16));
    run.append_metrics({{"step", 1}, {"accuracy", 0.5}});
    run.append_metrics({{"step", 2}, {"accuracy", 0.6}});
    EXPECT_EQ(read_text(run.path() / "metrics.jsonl"), "{\"accuracy\":0.5,\"step\":1}\n{\"accuracy\":0.6,\"step\":2}\n");
    run.finish(RunState::done);
  }
}

TEST_F(Runs, AreFoundByFolderNameAndUniquePrefix) {
  const auto path = finished(16, 0.8);
  const std::string name = path.filename().string();
  EXPECT_EQ(find_run(runs(), path.string()), path);
  EXPECT_EQ(find_run(runs(), name), path);
  EXPECT_EQ(find_run(runs(), name.substr(0, 4)), path);
  EXPECT_EQ(find_run(runs(), "ablation/" + name.substr(0, 4)), path);
}

TEST_F(Runs, UnknownAndAmbiguousNamesListWhatThereIs) {
  finished(16, 0.8);
  finished(32, 0.8);
  try {
    find_run(runs(), "ablation");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_THAT(error.what(), HasSubstr("ambiguous"));
  }
  EXPECT_THROW(find_run(runs(), "zzzz"), Error);
  EXPECT_THROW(find_run(folder_ / "nowhere", "zzzz"), Error);
}

TEST_F(Runs, CallsAFolderWithoutARunAWrongFile_AndAnUnknownNameAMistake) {
  std::filesystem::create_directories(folder_ / "empty");
  EXPECT_EQ(error_of([&] { find_run(runs(), (folder_ / "empty").string()); }).kind(), ErrorKind::data);
  EXPECT_EQ(error_of([&] { find_run(runs(), "zzzz"); }).kind(), ErrorKind::user);
}

TEST_F(Runs, NamesTheFile_OfATableOfAnotherForm) {
  std::filesystem::create_directories(folder_ / "odd");
  std::ofstream(folder_ / "odd" / "run.json") << R"({"state": "done", "table": {"title": 3}})";
  EXPECT_EQ(find_run(runs(), (folder_ / "odd" / "run.json").string()), folder_ / "odd");
  for (const Error& error :
       {error_of([&] { show_run(folder_ / "odd"); }), error_of([&] { compare_runs(folder_ / "odd", folder_ / "odd"); })}) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_NE(std::string(error.what()).find((folder_ / "odd" / "run.json").string()), std::string::npos) << error.what();
  }
}

TEST_F(Runs, ShowPrintsStateOptionsAndTable) {
  const std::string text = show_run(finished(16, 0.8));
  for (const char* part : {"state       done", "dim=16", "model=builtin:bert-mini", "accuracy (last)", "0.815", "of rte", "0.915"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST_F(Runs, ShowPrintsTheClaimsAboveTheTable_AsTheRecipeDid) {
  const std::vector<JudgedClaim> claims = {{.verdict = JudgedClaim::Verdict::open,
                                            .claim = {.text = "A beats B", .source = "", .row = "a", .than = "b"},
                                            .n = 1,
                                            .interval = {}}};
  RunFolder run = RunFolder::begin(runs(), description(16));
  nlohmann::json report = {
      {"folder", ""}, {"claims", claims_as_json(claims)}, {"table", table_as_json({"title", "m", "t", "dev", "accuracy", 0.5}, {})}};
  run.set_report(report);
  run.finish(RunState::done);
  const std::string text = show_run(run.path());
  EXPECT_THAT(text, HasSubstr("\n\n" + claims_as_text(claims) + "title"));
  report["claims"] = "none";
  run.set_report(report);
  run.finish(RunState::done);
  EXPECT_THAT(error_of([&] { show_run(run.path()); }).what(), HasSubstr((run.path() / "run.json").string()));
}

TEST_F(Runs, ShowOfARunWithoutTableSaysSo) {
  RunFolder run = RunFolder::begin(runs(), description(16));
  run.finish(RunState::failed, "x.tsv:3: 2 columns, expected 3");
  EXPECT_THAT(show_run(run.path()), HasSubstr("x.tsv:3"));
  EXPECT_THAT(show_run(run.path()), HasSubstr("no table"));
}

TEST_F(Runs, CompareJoinsByVariantAndListsWhatDiffers) {
  const std::string text = compare_runs(finished(16, 0.80), finished(32, 0.83));
  EXPECT_THAT(text, HasSubstr("+0.030"));
  EXPECT_THAT(text, ::testing::AllOf(HasSubstr("task t"), HasSubstr("task rte"))) << "every page of the run";
  EXPECT_THAT(text, HasSubstr("arguments.dim: 16 | 32"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("arguments.model")));
}

TEST_F(Runs, CompareTellsPagesThatOneRunLacks_AndTheirInputs) {
  const auto path = finished(16, 0.8);
  const auto with_inputs = [&](int dim, const char* task) {
    RunFolder run = RunFolder::begin(runs(), description(dim));
    run.set_report({{"folder", "rte"}, {"inputs", {{"task", task}}}, {"table", read_run(path)["reports"][1]["table"]}});
    run.finish(RunState::done);
    return run.path();
  };
  const auto a = with_inputs(1, "abc"), b = with_inputs(2, "def");
  EXPECT_THAT(compare_runs(a, b), HasSubstr("rte: inputs.task: abc | def"));
  EXPECT_THAT(compare_runs(path, a), HasSubstr("B has no table 'title'"));
  EXPECT_THAT(compare_runs(a, path), HasSubstr("A has no table 'title'"));
  EXPECT_EQ(comparison_as_json(a, b)["rows"][0]["report"], "rte");
}

TEST_F(Runs, DamagedRecordIsADataErrorThatNamesTheFile) {
  const auto path = finished(16, 0.8);
  for (const char* bytes : {"{\"state\": 3}", "[]", "{\"state\": "}) {
    write_durable(path / "run.json", std::string_view(bytes));
    try {
      read_run(path);
      FAIL() << bytes;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_THAT(error.what(), HasSubstr("run.json"));
    }
  }
}

}  // namespace
}  // namespace tsrun
