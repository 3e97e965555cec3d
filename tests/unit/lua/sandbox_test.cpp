#include "unit/lua/fixture.h"

namespace tsrun {
namespace {

using SandboxTest = RecipeTest;

TEST_F(SandboxTest, HasNoWayToFilesAndProcesses) {
  for (const char* expression : {"io.open('x')", "os.execute('true')", "os.getenv('HOME')", "os.remove('x')", "os.exit(0)",
                                 "package.loadlib('a', 'b')", "debug.getinfo(1)", "dofile('x')", "loadfile('x')"}) {
    const auto error = failure(std::string("\n") + expression);
    EXPECT_EQ(error.kind(), ErrorKind::user) << expression;
    EXPECT_THAT(error.what(), AllOf(StartsWith("recipe.lua:2: unknown "), HasSubstr("not available in recipes"))) << expression;
  }
}

TEST_F(SandboxTest, LocksTheGlobals) {
  EXPECT_STREQ(failure("prnt('a')").what(), "recipe.lua:1: unknown global 'prnt' (did you mean 'print'?)");
  EXPECT_THAT(failure("\nseeds = 3").what(), StartsWith("recipe.lua:2: 'seeds' is not declared; write 'local seeds'"));
  EXPECT_THAT(failure("\nsetmetatable(_G, nil)").what(), StartsWith("recipe.lua:2: cannot change a protected metatable"));
  EXPECT_EQ(failure("local ts = require 'ts' ts.train = 1").kind(), ErrorKind::user);
}

TEST_F(SandboxTest, LoadsTextOnly) {
  run("local ts = require 'ts'\nts.keep{ three = load('return 1 + 2')(), refused = load('\\27Lua') == nil }");
  EXPECT_EQ(kept_[0], json({{"three", 3}, {"refused", true}}));
  EXPECT_EQ(failure("string.dump(print)").kind(), ErrorKind::user);
  EXPECT_EQ(failure("\x1bLua\x54").kind(), ErrorKind::user);
  EXPECT_THAT(failure("load('return io')()").what(), HasSubstr("unknown global 'io'"));
}

TEST_F(SandboxTest, DrawsNoRandomNumbersBesideTheSeed) {
  EXPECT_THAT(failure("print(math.random())").what(),
              AllOf(StartsWith("recipe.lua:1: unknown function math. 'random'"), HasSubstr("ts.random")));
}

TEST_F(SandboxTest, KeepsTheUsefulLibraries) {
  run(R"(local ts = require "ts"
         local text = ("%d"):format(math.max(1, 2)) .. table.concat({ 1, 2 }, ",") .. utf8.char(228)
         ts.keep{ text = text, time = os.time() > 0, date = #os.date("%Y") })");
  EXPECT_EQ(kept_[0]["text"], "21,2ä");
}

TEST_F(SandboxTest, LimitsMemory_AsAnErrorOfTheRun) {
  settings_.memory_limit = 16 << 20;
  for (const char* text : {"local s = string.rep('x', 1 << 28)", "local t = {} for i = 1, 1e9 do t[i] = { i } end",
                           "local ts = require 'ts' ts.sweep({ a = { 1, 2 } }, function() return string.rep('x', 1 << 28) end)"}) {
    const auto error = failure(text);
    EXPECT_EQ(error.kind(), ErrorKind::run) << text;
    EXPECT_THAT(error.what(), AllOf(StartsWith("recipe.lua"), HasSubstr("16 MiB"))) << text;
  }
}

TEST_F(SandboxTest, EndsEndlessRecursion) {
  const auto error = failure("local function f() return 1 + f() end\nf()");
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), HasSubstr("stack overflow"));
}

TEST_F(SandboxTest, BlamesTheRecipe_ForArgumentsOfWrappedFunctions) {
  for (const char* text : {"\nload({})", "\ncoroutine.resume(3)", "\nsetmetatable(3, {})", "\nlocal ts = require 'ts' ts.log('%d', 'x')",
                           "\nlocal ts = require 'ts' ts.sweep({ a = { 1 } }, function() ts.log('%d', 'x') end)"}) {
    const auto error = failure(text);
    EXPECT_EQ(error.kind(), ErrorKind::user) << text;
    EXPECT_THAT(error.what(), AllOf(StartsWith("recipe.lua:2: "), HasSubstr("bad argument"))) << text;
  }
}

TEST_F(SandboxTest, RefusesFinalizers) { EXPECT_THAT(failure("setmetatable({}, { __gc = print })").what(), HasSubstr("__gc")); }

}  // namespace
}  // namespace tsrun
