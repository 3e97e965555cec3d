#include "unit/lua/fixture.h"

#include "tsrun/base/interrupt.h"
#include "tsrun/store/run_folder.h"

#include <csignal>

namespace tsrun {
namespace {

TEST_F(RecipeTest, CallsEveryOperation_AndReturnsItsResult) {
  run(R"(local ts = require "ts"
         local r = ts.square{ x = 7 }
         ts.keep{ value = r.value, key = r.key, kind = r.artifact })");
  ASSERT_EQ(kept_.size(), 1u);
  EXPECT_EQ(kept_[0]["value"], 49);
  EXPECT_EQ(kept_[0]["kind"], "square");
  EXPECT_EQ(kept_[0]["key"].get<std::string>().size(), 64u);
}

TEST_F(RecipeTest, KeepsOperationsOfOneGroupTogether_AndNamesTheNearMiss) {
  EXPECT_THAT(failure("local ts = require 'ts'\nts.tokenizer.train{}").what(), HasSubstr("tokenizer.train: option 'task' is missing"));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.tokenizer.trian{}").what(),
              HasSubstr("no operation of ts.tokenizer 'trian' (did you mean 'train'?)"));
}

TEST_F(RecipeTest, BindsAFirstArgumentThatIsNoTable_ToTheFirstOption) {
  run(R"(local ts = require "ts"
         ts.keep("spectrum", { level = 2 }); ts.keep "alone")");
  EXPECT_EQ(kept_[0], json({{"name", "spectrum"}, {"level", 2}}));
  EXPECT_EQ(kept_[1], json({{"name", "alone"}}));
}

TEST_F(RecipeTest, CarriesValuesBothWays) {
  run(R"(local ts = require "ts"
         local back = ts.keep{ whole = 3, real = 3.0, text = "ä", yes = true, list = { 1, 2 }, table = { a = { b = 1 } } }
         ts.keep{ same = back }
         ts.keep{ result = ts.square{ x = 1 } })");
  const auto sent = json{{"whole", 3}, {"real", 3.0}, {"text", "ä"}, {"yes", true}, {"list", {1, 2}}, {"table", {{"a", {{"b", 1}}}}}};
  EXPECT_EQ(kept_[0], sent);
  EXPECT_TRUE(kept_[0]["whole"].is_number_integer());
  EXPECT_TRUE(kept_[0]["real"].is_number_float());
  EXPECT_EQ(kept_[1]["same"]["list"], sent["list"]);
  EXPECT_TRUE(kept_[2]["result"]["nothing"].is_array()) << "an empty list stays a list";
  EXPECT_TRUE(kept_[2]["result"]["none"].is_object()) << "an empty table stays a table";
}

TEST_F(RecipeTest, NamesPlaceAndNearMiss_OfAnUnknownOption) {
  const auto error = failure("local ts = require 'ts'\n\nts.square{ x = 1, epoch = 3 }\n");
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_STREQ(error.what(), "recipe.lua:3: square: unknown option 'epoch' (did you mean 'epochs'?)");
}

TEST_F(RecipeTest, NamesPlaceAndRange_OfAWrongValue) {
  EXPECT_THAT(failure("local ts = require 'ts'\nts.square{ x = 2000 }").what(),
              AllOf(StartsWith("recipe.lua:2: square: option 'x' is 2000"), HasSubstr("1000")));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.square{ x = 'one' }").what(), StartsWith("recipe.lua:2: square: option 'x'"));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.square()").what(), StartsWith("recipe.lua:2: square: "));
}

TEST_F(RecipeTest, RefusesValuesThatAreNoData) {
  EXPECT_THAT(failure("local ts = require 'ts'\nts.keep{ a = print }").what(), HasSubstr("keep.a: expected plain values"));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.keep{ a = { 1, x = 2 } }").what(),
              HasSubstr("keep.a: a table has either names or positions"));
  EXPECT_THAT(failure("local ts = require 'ts'\nlocal a = {} a.a = a ts.keep{ a = a }").what(), HasSubstr("holds itself"));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.keep{ a = '\\xff' }").what(), HasSubstr("not valid UTF-8"));
}

TEST_F(RecipeTest, NamesTheNearMiss_OfAnUnknownFunction) {
  EXPECT_STREQ(failure("local ts = require 'ts'\nts.sqare{ x = 1 }").what(),
               "recipe.lua:2: ts: unknown name 'sqare' (did you mean 'square'?)");
}

TEST_F(RecipeTest, KeepsTheKindOfAnError_ThroughLua) {
  const auto lab = make_lab();
  Operation full;
  full.name = "full";
  full.run = [](Lab&, const Options&) -> json { run_error("/store: No space left on device"); };
  lab->add(std::move(full));
  const auto error = error_of([&] { run_recipe(*lab, write("local ts = require 'ts'\nlocal function f() ts.full() end\nf()"), {}); });
  EXPECT_EQ(error.kind(), ErrorKind::run);
  EXPECT_THAT(error.what(), HasSubstr("recipe.lua:2: /store: No space left on device"));
}

TEST_F(RecipeTest, LetsARecipeCatchItsOwnErrors) {
  run(R"(local ts = require "ts"
         local ok, err = pcall(ts.square, { x = -1 })
         ts.keep{ ok = ok, text = tostring(err), joined = "caught " .. err }
         local fine, why = pcall(error, { code = 7 })
         ts.keep{ code = why.code })");
  EXPECT_EQ(kept_[0]["ok"], false);
  EXPECT_THAT(kept_[0]["text"].get<std::string>(), HasSubstr("option 'x'"));
  EXPECT_THAT(kept_[0]["joined"].get<std::string>(), StartsWith("caught "));
  EXPECT_EQ(kept_[1]["code"], 7);
}

TEST_F(RecipeTest, KeepsTextAndLine_OfWhateverARecipeGivesToError) {
  const std::pair<const char*, const char*> cases[] = {
      {"error{ message = 'too few rows', rows = 3 }", "too few rows"},
      {"error{ 'first', { 2, deep = true } }", "error with the value { \"first\", { 2, deep = true } }"},
      {"error({})", "error with the value {}"},
      {"error(setmetatable({}, { __tostring = function() return 'told so' end }))", "recipe.lua:2: told so"},
      {"error(setmetatable({ 1 }, { __tostring = function() return {} end }))", "error with the value { 1 }"},
      {"error(setmetatable({ 1 }, { __tostring = function() error 'worse' end }))", "error with the value { 1 }"},
      {"error()", "error with the value nil"},
      {"error(false)", "error with the value false"},
      {"error(42)", "recipe.lua:2: 42"},
      {"error(0.5)", "recipe.lua:2: 0.5"},
      {"error(print)", "error with the value a function"},
      {"error 'plain'", "recipe.lua:2: plain"},
      {"error('without a place', 0)", "recipe.lua:2: without a place"},
      {"assert(false, 'asserted')", "recipe.lua:2: asserted"},
      {"assert(nil, { reason = 'none' })", "{ reason = \"none\" }"},
  };
  for (const auto& [statement, text] : cases) {
    const auto error = failure(fmt::format("local function f()\n  {}\nend\nf()\n", statement));
    EXPECT_EQ(error.kind(), ErrorKind::user) << statement;
    EXPECT_THAT(error.what(), AllOf(StartsWith("recipe.lua:2: "), HasSubstr(text))) << statement;
  }
}

TEST_F(RecipeTest, KeepsTheLineWhereATableWasRaisedFirst) {
  for (const char* way :
       {"local ok, e = pcall(f)\nerror(e)", "local ok, e = xpcall(f, function(e) return e end)\nerror(e, 0)", "coroutine.wrap(f)()",
        "local ok, e = coroutine.resume(coroutine.create(f))\nerror(e)", "require('ts').sweep({ x = { 1 } }, f)"}) {
    const auto error = failure(fmt::format("local function f()\n  error{{ code = 7 }}\nend\n{}\n", way));
    EXPECT_THAT(error.what(), AllOf(StartsWith("recipe.lua:2: "), HasSubstr("code = 7"))) << way;
  }
}

TEST_F(RecipeTest, KeepsKindAndLine_OfAnErrorOfOursThatIsRaisedAgain) {
  for (const char* way : {"local ok, e = pcall(f)\nerror(e)", "coroutine.wrap(function() local ok, e = pcall(f) error(e, 2) end)()"}) {
    const auto error = failure(fmt::format("local function f()\n  require 'absent'\nend\n{}\n", way));
    EXPECT_EQ(error.kind(), ErrorKind::data) << way;
    EXPECT_THAT(error.what(), AllOf(StartsWith("recipe.lua:2: require: no file"), HasSubstr("absent.lua"))) << way;
  }
}

TEST_F(RecipeTest, CutsALongTable_AndOneThatHoldsItself) {
  const auto error = failure("local t = {}\nfor i = 1, 1000 do t[i] = i end\nerror(t)");
  EXPECT_THAT(error.what(), AllOf(HasSubstr("{ 1, 2, "), HasSubstr(", … }")));
  EXPECT_LT(std::string(error.what()).size(), 200u);
  EXPECT_THAT(failure("local t = {} t.t = t error(t)").what(), HasSubstr("{ t = { t = "));
}

TEST_F(RecipeTest, AddsPlaces_AsLuasOwnErrorDoes) {
  run(R"(local ts = require "ts"
         local function f() error("deep", 2) end
         local _, at_caller = pcall(function()
           f()
         end)
         local _, bare = pcall(error, "bare")
         local _, number = pcall(error, 7)
         ts.keep{ at_caller = at_caller, bare = bare, number = number })");
  EXPECT_THAT(kept_[0]["at_caller"].get<std::string>(), ::testing::EndsWith("recipe.lua:4: deep"));
  EXPECT_EQ(kept_[0]["bare"], "bare");
  EXPECT_EQ(kept_[0]["number"], 7);
}

TEST_F(RecipeTest, ReportsSyntaxErrors_WithFileAndLine) {
  const auto error = failure("local ts = require 'ts'\nlocal x = = 1\n");
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), StartsWith("recipe.lua:2: "));
}

TEST_F(RecipeTest, ReportsErrorsOfLuaItself_WithFileAndLine) {
  const auto error = failure("local t = {}\nlocal n = t.a.b\n");
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), AllOf(StartsWith("recipe.lua:2: "), HasSubstr("'a'")));
}

TEST_F(RecipeTest, BlamesTheRecipe_WhateverItIsCalled) {
  for (const char* name : {"report.lua", "search.lua", "ts.lua"}) {
    const auto lab = make_lab();
    const auto cwd = std::filesystem::current_path();
    write("local x = nil\nx.y = 1", name);
    std::filesystem::current_path(folder_);
    const auto error = error_of([&] { run_recipe(*lab, name, {}); });
    std::filesystem::current_path(cwd);
    EXPECT_EQ(error.kind(), ErrorKind::user) << error.what();
    EXPECT_THAT(error.what(), StartsWith(std::string(name) + ":2: attempt to index"));
  }
}

TEST_F(RecipeTest, ShowsTheWholePath_HoweverLong) {
  const std::string deep(40, 'd');
  std::filesystem::create_directories(folder_ / deep / deep);
  const auto lab = make_lab();
  const auto error = error_of([&] { run_recipe(*lab, write("local x = nil + 1", deep + "/" + deep + "/recipe.lua"), {}); });
  EXPECT_THAT(error.what(), StartsWith((folder_ / deep / deep / "recipe.lua").string() + ":1: "));
}

TEST_F(RecipeTest, ShowsATraceback_OnlyWhenAsked) {
  const std::string text = "local ts = require 'ts'\nlocal function inner() ts.square{} end\nlocal function outer() inner() end\nouter()";
  EXPECT_THAT(failure(text).what(), ::testing::Not(HasSubstr("traceback")));
  settings_.traceback = true;
  EXPECT_THAT(failure(text).what(), AllOf(HasSubstr("stack traceback"), HasSubstr("recipe.lua:3:"), HasSubstr("recipe.lua:4:")));
}

TEST_F(RecipeTest, RequiresTextFilesBesideTheRecipe) {
  write(
      "local ts = require 'ts'\nlocal helper = {}\nfunction helper.twice(x) return 2 * x end\nfunction helper.fail() ts.square{ y = 1 } "
      "end\nreturn helper",
      "helper.lua");
  run("local ts, h = require 'ts', require 'helper'\nts.keep{ four = h.twice(2), same = h == require 'helper' }");
  EXPECT_EQ(kept_[0], json({{"four", 4}, {"same", true}}));
  EXPECT_THAT(failure("require('helper').fail()").what(), StartsWith("helper.lua:4: square: "));
}

TEST_F(RecipeTest, NamesItsRunByTheLibrariesToo) {
  const auto id = [&](const std::string& library) {
    write(library, "helper.lua");
    const auto lab = make_lab();
    run_recipe(*lab, write("local ts = require 'ts'\nrequire 'helper'\nts.keep{ x = 1 }"), {});
    return lab->begun_run()->json().at("id").get<std::string>();
  };
  EXPECT_NE(id("return 1"), id("return 2"));
  EXPECT_EQ(id("return 1"), id("return 1"));
}

TEST_F(RecipeTest, RefusesOtherWaysToNameAFile) {
  for (const char* name : {"../helper", "/etc/passwd", "..helper", "", "a/b"})
    EXPECT_THAT(failure(fmt::format("require '{}'", name)).what(), StartsWith("recipe.lua:1: require: expected")) << name;
  EXPECT_THAT(failure("require 'absent'").what(), AllOf(StartsWith("recipe.lua:1: require: no file"), HasSubstr("absent.lua")));
}

TEST_F(RecipeTest, RefusesAFileThatRequiresItself) {
  write("return require 'loop'", "loop.lua");
  EXPECT_THAT(failure("require 'loop'").what(), HasSubstr("'loop' requires itself"));
}

TEST_F(RecipeTest, SaysThatTheFileIsMissing) {
  const auto lab = make_lab();
  EXPECT_EQ(error_of([&] { run_recipe(*lab, folder_ / "absent.lua", {}); }).kind(), ErrorKind::data);
}

TEST_F(RecipeTest, EndsAnEndlessLoop_WhenInterrupted_WhateverTheRecipeCatches) {
  watch_interrupts();
  for (const char* text : {"while true do end", "while true do pcall(function() while true do end end) end",
                           "while true do xpcall(error, function() return 'again' end) end",
                           "local t = {} while true do t = { t = nil } end", "coroutine.wrap(function() while true do end end)()",
                           "while true do pcall(error, setmetatable({}, { __tostring = function() while true do end end })) end",
                           "error(setmetatable({}, { __tostring = function() while true do end end }))",
                           "local x <close> = setmetatable({}, { __close = function() while true do end end }) while true do end",
                           "while true do pcall(coroutine.wrap(function() while true do end end)) end",
                           "while true do table.sort({ 3, 2, 1 }, function(a, b) return a < b end) end"}) {
    std::raise(SIGINT);
    EXPECT_EQ(failure(text).kind(), ErrorKind::interrupt) << text;
    clear_interrupt();
  }
}

TEST_F(RecipeTest, SeedsFollowTheRootSeed) {
  seed_ = 10;
  run("local ts = require 'ts'\nts.keep{ seeds = ts.seeds(3) }");
  EXPECT_EQ(kept_[0]["seeds"], json({10, 11, 12}));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.seeds(0)").what(), StartsWith("recipe.lua:2: seeds: "));
}

TEST_F(RecipeTest, DescribesPeriodsAndTuning) {
  run(R"(local ts = require "ts"
         local basis = ts.square{ x = 2 }
         ts.keep{ record = ts.every "epoch", steps = ts.every(50), tune = ts.within(basis, { lr = 0.01 }) })");
  EXPECT_EQ(kept_[0]["record"], json({{"every", "epoch"}}));
  EXPECT_EQ(kept_[0]["steps"], json({{"every", 50}}));
  EXPECT_EQ(kept_[0]["tune"]["lr"], 0.01);
  EXPECT_EQ(kept_[0]["tune"]["subspace"]["artifact"], "square");
  EXPECT_THAT(failure("local ts = require 'ts'\nts.every 'epch'").what(), StartsWith("recipe.lua:2: every: "));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.within({})").what(), StartsWith("recipe.lua:2: within: "));
}

TEST_F(RecipeTest, DrawsTheSameNumbersForTheSameSeedAndName) {
  const std::string text = R"(local ts = require "ts"
    local r, numbers = ts.random "order", {}
    for i = 1, 100 do numbers[i] = r:integer(1, 6) end
    ts.keep{ numbers = numbers, uniform = r:uniform(), shuffled = r:shuffle{ 1, 2, 3, 4, 5 } })";
  run(text);
  run(text);
  seed_ = 2;
  run(text);
  EXPECT_EQ(kept_[0], kept_[1]);
  EXPECT_NE(kept_[0], kept_[2]);
  for (const auto& number : kept_[0]["numbers"]) EXPECT_TRUE(number >= 1 && number <= 6);
}

TEST_F(RecipeTest, BeginsARunFolder_AtTheFirstStep) {
  const auto lab = make_lab();
  run_recipe(*lab, write("local ts = require 'ts'\nlocal arg = ts.arguments{ dim = { default = 4 } }\nts.square{ x = 1 }"), {});
  ASSERT_NE(lab->begun_run(), nullptr);
  const auto run = read_json(folder_ / "runs" / "recipe" / lab->begun_run()->path().filename() / "run.json");
  EXPECT_EQ(run["arguments"], json({{"dim", 4}}));
}

TEST_F(RecipeTest, TouchesNothing_WhenItOnlyPlans) {
  plan_only_ = true;
  run("local ts = require 'ts'\nlocal r = ts.square{ x = 7 }\nts.keep{ planned = r.planned }");
  EXPECT_EQ(kept_[0]["planned"], true);
  EXPECT_EQ(computed_, 0);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "store") || std::filesystem::exists(folder_ / "runs"));
}

}  // namespace
}  // namespace tsrun
