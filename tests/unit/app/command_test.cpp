#include "support/folder_test.h"
#include "unit/app/process.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <iterator>
#include <map>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class CommandTest : public FolderTest {
 protected:
  Outcome tsrun(const std::vector<std::string>& words, const std::string& input = "") { return tsrun_program(words, folder_, input); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  bool left_no_store() const { return !std::filesystem::exists(folder_ / ".tsrun") && !std::filesystem::exists(folder_ / "runs"); }

  /// A wrong command line: exit 2, one message, nothing written.
  void expect_refusal(const std::vector<std::string>& words, const std::string& message) {
    const auto outcome = tsrun(words);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_TRUE(left_no_store());
  }
};

TEST_F(CommandTest, ShowsThreeExamples_WhenCalledAlone) {
  const auto outcome = tsrun({});
  EXPECT_EQ(outcome.code, 0);
  size_t examples = 0;
  for (auto at = outcome.out.find("\n  tsrun "); at != outcome.out.npos; at = outcome.out.find("\n  tsrun ", at + 1)) ++examples;
  EXPECT_EQ(examples, 3u);
  EXPECT_LE(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 10);
}

TEST_F(CommandTest, RefusesOptionsWithoutARecipe) {
  for (const auto& words : {std::vector<std::string>{"--set", "dim=8"}, {"--store", "x.lua"}, {"--quiet"}})
    expect_refusal(words, "no recipe is given");
}

TEST_F(CommandTest, SaysItsVersions) {
  const auto outcome = tsrun({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(StartsWith("tsrun 0."), HasSubstr("LibTorch ")));
}

TEST_F(CommandTest, ListsCommandsAndOptions) {
  for (const auto& words : {std::vector<std::string>{"help"}, {"--help"}, {"run", "--help"}}) {
    const auto outcome = tsrun(words);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("check RECIPE"), HasSubstr("predict MODEL TASK"), HasSubstr("geometry MODEL [TASK]"),
                                   HasSubstr("--threads"), HasSubstr("--pair"), Not(HasSubstr("worker"))));
  }
}

TEST_F(CommandTest, NamesTheNearMiss_OfCommandsAndOptions) {
  expect_refusal({"chek", "x.lua"}, "unknown command 'chek' (did you mean 'check'?)");
  expect_refusal({"plugins", "--stroe", "x"}, "unknown option '--stroe' (did you mean '--store'?)");
  expect_refusal({"plugins", "--quite"}, "did you mean '--quiet'?");
  expect_refusal({"plugins", "--split", "dev"}, "--split belongs to 'tsrun predict'");
}

TEST_F(CommandTest, RefusesValuesThatCannotBeRead) {
  expect_refusal({"plugins", "--seed", "one"}, "--seed is 'one', expected an integer");
  expect_refusal({"plugins", "--seed", "-1"}, "--seed");
  expect_refusal({"plugins", "--threads", "0"}, "--threads is '0', expected an integer from 1");
  expect_refusal({"plugins", "--jobs", "2x"}, "--jobs is '2x'");
  expect_refusal({"plugins", "--device", "cdua"}, "--device is 'cdua', expected cpu, cuda or cuda:N (did you mean 'cuda'?)");
  expect_refusal({"plugins", "--set", "dim"}, "--set dim: expected NAME=VALUE");
  expect_refusal({"plugins", "--set", "a=1", "--set", "a=2"}, "'a' is set twice");
  expect_refusal({"plugins", "--seed"}, "seed");
  expect_refusal({"plugins", "--quiet", "--debug"}, "contradict");
  expect_refusal({"check"}, "tsrun check RECIPE");
  expect_refusal({"compare", "a"}, "tsrun compare RUN RUN");
}

TEST_F(CommandTest, NamesTheNearestRecipe_OfAMissingOne) {
  write("ablation.lua", "");
  const auto outcome = tsrun({"ablatoin.lua"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("ablatoin.lua: no such recipe (did you mean 'ablation.lua'?)"));
}

TEST_F(CommandTest, ReportsAPluginThatCannotBeLoaded_AndGoesOnWithoutIt) {
  std::filesystem::create_directories(folder_ / "extra");
  write("extra/notes.so", "just text");
  const auto outcome = tsrun({"plugins", "--plugins", "extra"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("warning: "), HasSubstr("extra/notes.so: not a shared library")));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("refused: "), HasSubstr("extra/notes.so: not a shared library"), HasSubstr("trajectory_svd")));
  const auto listed = nlohmann::json::parse(tsrun({"plugins", "--plugins", "extra", "--json"}).out);
  EXPECT_THAT(listed.back()["refused"].get<std::string>(), HasSubstr("not a shared library"));
  const auto doctor = tsrun({"doctor", "--plugins", "extra"});
  EXPECT_EQ(doctor.code, 3);
  EXPECT_THAT(doctor.out, AllOf(HasSubstr("not a shared library"), HasSubstr("rebuild or remove what is refused")));
  EXPECT_EQ(tsrun({"plugins", "--plugins", "no/such/folder"}).code, 3);
}

TEST_F(CommandTest, DescribesPluginsOperationsAndRecipes) {
  const auto plugins = std::filesystem::path(TSRUN_BINARY_DIR) / "tests" / "plugins" / "line_subspace";
  write("small.lua",
        "-- What it is for.\n-- Second line.\nlocal ts = require 'ts'\nts.arguments{ dim = { default = 16, doc = 'dimensions' } }\nerror "
        "'never reached'\n");
  EXPECT_THAT(tsrun({"describe", "line", "--plugins", plugins.string()}).out,
              AllOf(HasSubstr("line  (subspace, version 7"), HasSubstr("How to fail.")));
  EXPECT_THAT(tsrun({"describe", "report"}).out, AllOf(StartsWith("ts.report"), HasSubstr("heat_map")));
  EXPECT_THAT(tsrun({"describe", "small.lua"}).out,
              AllOf(HasSubstr("What it is for."), HasSubstr("dim"), HasSubstr("16"), HasSubstr("dimensions")));
  expect_refusal({"describe", "reprot"}, "did you mean 'report'?");
  expect_refusal({"describe", "ts.clam"}, "did you mean 'ts.claim'?");
  EXPECT_THAT(tsrun({"describe", "ts.claim"}).out, StartsWith("ts.claim(options)\nStates what"));
  EXPECT_THAT(tsrun({"describe", "evaluate"}).out, HasSubstr("\nReturns: evaluation (Scores without training"));
  EXPECT_THAT(tsrun({"describe", "--stubs"}).out, StartsWith("---@meta"));
}

TEST_F(CommandTest, WritesTheReferenceAsItIsInTheDocs) {
  std::ifstream file(std::filesystem::path(TSRUN_SOURCE_DIR) / "docs/recipes.md");
  const std::string docs{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(tsrun({"describe", "--reference"}).out == docs) << "docs/recipes.md is old: write it with tsrun describe --reference";
}

TEST_F(CommandTest, ListsEverything_WhenNothingIsNamed) {
  const auto outcome = tsrun({"describe"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* name :
       {"predict", "generate", "score", "train", "evaluate", "lora", "trajectory_svd", "builtin:bert-mini", "builtin:entailment"})
    EXPECT_THAT(outcome.out, HasSubstr("  " + std::string(name))) << name;
}

TEST_F(CommandTest, SaysWhichOfPeftsMethodsThereAre) {
  const auto outcome = tsrun({"describe", "deltas"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("Methods of PEFT 0.21.2: "));
  for (const auto& [type, name] :
       std::map<std::string, std::string>{{"LORA", "lora"}, {"OFT", "oft"}, {"XLORA", "not here"}, {"", "adapter"}})
    EXPECT_THAT(outcome.out, HasSubstr(fmt::format("\n  {:<25}{:<15}", type, name)));
  const auto json = nlohmann::json::parse(tsrun({"describe", "deltas", "--json"}).out);
  EXPECT_EQ(json.at("peft"), "0.21.2");
  EXPECT_GE(json.at("deltas").size(), 45U);
}

TEST_F(CommandTest, DescribesWhatSetMayChange_OfVerbs) {
  EXPECT_THAT(tsrun({"describe", "generate"}).out,
              AllOf(StartsWith("tsrun generate"), HasSubstr("max_new_tokens"), HasSubstr("num_beams")));
  EXPECT_THAT(tsrun({"describe", "generate"}).out, HasSubstr("\n\nts.generate\n"));
  EXPECT_THAT(tsrun({"describe", "ts.generate"}).out, AllOf(StartsWith("ts.generate"), HasSubstr("repetition_n")));
  EXPECT_THAT(tsrun({"describe", "predict"}).out, AllOf(StartsWith("tsrun predict"), HasSubstr("max_length")));
  EXPECT_THAT(tsrun({"describe", "score"}).out, AllOf(StartsWith("tsrun score"), HasSubstr("max_length")));
  EXPECT_THAT(tsrun({"describe", "score"}).out, HasSubstr("Absent: the model's maximum, up to 1024"));
  expect_refusal({"describe", "predcit"}, "did you mean 'predict'?");
}

TEST_F(CommandTest, DescribesAsJson) {
  const auto one = nlohmann::json::parse(tsrun({"describe", "generate", "--json"}).out);
  EXPECT_EQ(one["kind"], "verb");
  bool found = false;
  for (const auto& option : one["options"])
    found = found || (option["name"] == "num_beams" && option["minimum"] == 1 && option["maximum"] == 256);
  EXPECT_TRUE(found) << one.dump(1);
  const auto train = nlohmann::json::parse(tsrun({"describe", "train", "--json"}).out);
  EXPECT_EQ(train["version"], 9);
  const auto all = nlohmann::json::parse(tsrun({"describe", "--json"}).out);
  EXPECT_GT(all["described"].size(), 20u);
  EXPECT_EQ(all["models"][0], "builtin:bert-mini");
  write("small.lua", "local ts = require 'ts'\nts.arguments{ dim = { default = 16, min = 2, doc = 'dimensions' } }\n");
  const auto recipe = nlohmann::json::parse(tsrun({"describe", "small.lua", "--json"}).out);
  EXPECT_EQ(recipe["options"][0]["minimum"], 2);
}

TEST_F(CommandTest, ListsPluginsAndFindingsAsJson) {
  const auto plugins = nlohmann::json::parse(tsrun({"plugins", "--json"}).out);
  EXPECT_TRUE(std::any_of(plugins.begin(), plugins.end(), [](const auto& one) { return one["name"] == "lora" && one["kind"] == "delta"; }));
  const auto broken = tsrun({"doctor", "--json", "--store", "/dev/null/store"});
  EXPECT_EQ(broken.code, 3);
  const auto findings = nlohmann::json::parse(broken.out);
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), [](const auto& one) { return one["name"] == "store" && one["ok"] == false; }));
  expect_refusal({"check", "x.lua", "--json"}, "--json belongs to");
}

TEST_F(CommandTest, ShowsAndComparesRunsAsJson) {
  std::filesystem::create_directories(folder_ / "a");
  std::filesystem::create_directories(folder_ / "b");
  write("a/run.json", R"({"state": "done", "arguments": {"dim": 2}, "settings": {"seed": 1}})");
  write("b/run.json", R"({"state": "failed", "arguments": {"dim": 4}, "settings": {"seed": 1}})");
  const auto run = nlohmann::json::parse(tsrun({"show", "a", "--json"}).out);
  EXPECT_EQ(run["state"], "done");
  EXPECT_EQ(run["path"], "a");
  const auto both = nlohmann::json::parse(tsrun({"compare", "a", "b", "--json"}).out);
  EXPECT_EQ(both["b"]["state"], "failed");
  EXPECT_EQ(both["differing"]["arguments.dim"], nlohmann::json({2, 4}));
  EXPECT_FALSE(both["differing"].contains("settings.seed"));
}

TEST_F(CommandTest, ChecksWithoutTouchingAnything) {
  write("small.lua", "local ts = require 'ts'\nlocal task = ts.task 'builtin:entailment'\n");
  const auto outcome = tsrun({"check", "small.lua"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("small.lua: 0 stages"));
  EXPECT_TRUE(left_no_store());
}

TEST_F(CommandTest, ExaminesTheInstallation) {
  const auto outcome = tsrun({"doctor"});
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("LibTorch"), HasSubstr("tsrun_abi_"), HasSubstr("store"), HasSubstr("vectors"), HasSubstr("gnuplot")));
  const auto broken = tsrun({"doctor", "--store", "/dev/null/store"});
  EXPECT_EQ(broken.code, 3);
  EXPECT_THAT(broken.out, HasSubstr("PROBLEM   store"));
}

TEST_F(CommandTest, RefusesUnknownVectors_BeforeAnythingIsDone) {
  setenv("TSRUN_VECTORS", "avx5", 1);
  const auto refused = tsrun({"doctor"});
  setenv("TSRUN_VECTORS", "baseline", 1);
  const auto narrow = tsrun({"doctor"});
  unsetenv("TSRUN_VECTORS");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("TSRUN_VECTORS=avx5"), HasSubstr("avx2")));
  EXPECT_EQ(refused.out, "");
  EXPECT_THAT(narrow.out, HasSubstr("vectors    baseline"));
}

TEST_F(CommandTest, SaysWhichRunsThereAre_WhenNoneIsNamedSo) { expect_refusal({"show", "3f2c"}, "3f2c"); }

TEST_F(CommandTest, TokenizesLinesAndPairs) {
  const auto single = tsrun({"tokenize", "builtin:bert-mini"}, "a\n\nb\n");
  EXPECT_EQ(single.code, 0) << single.err;
  EXPECT_EQ(std::count(single.out.begin(), single.out.end(), '['), 3);
  const auto pair = tsrun({"tokenize", "builtin:bert-mini", "--pair"}, "a\tb\nno tab\n");
  EXPECT_EQ(pair.code, 3);
  EXPECT_THAT(pair.err, HasSubstr("standard input:2: expected two texts"));
  EXPECT_EQ(tsrun({"tokenize", "no/such/model"}, "a\n").code, 3);
}

}  // namespace
}  // namespace tsrun
