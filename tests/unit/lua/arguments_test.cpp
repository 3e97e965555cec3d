#include "unit/lua/fixture.h"

namespace tsrun {
namespace {

constexpr const char* kRecipe = R"(local ts = require "ts"
local arg = ts.arguments {
  dim = { default = 16, min = 1, max = 64, doc = "dimensions" },
  lr = { default = 0.01 },
  task = { default = "rte" },
  deep = { default = false },
  dims = { default = { 4, 8 } },
  reading = { default = "delta", choices = { "raw", "delta" } },
}
ts.keep{ dim = arg.dim, lr = arg.lr, task = arg.task, deep = arg.deep, dims = arg.dims, reading = arg.reading }
)";

using ArgumentsTest = RecipeTest;

TEST_F(ArgumentsTest, HaveTheirDefaults) {
  run(kRecipe);
  EXPECT_EQ(kept_[0], json({{"dim", 16}, {"lr", 0.01}, {"task", "rte"}, {"deep", false}, {"dims", {4, 8}}, {"reading", "delta"}}));
}

TEST_F(ArgumentsTest, AreTypedFromTheirDefaults) {
  run(kRecipe, {{"dim", "8"}, {"lr", "1e-3"}, {"task", "7"}, {"deep", "yes"}, {"dims", "2,4,8"}, {"reading", "raw"}});
  EXPECT_EQ(kept_[0], json({{"dim", 8}, {"lr", 1e-3}, {"task", "7"}, {"deep", true}, {"dims", {2, 4, 8}}, {"reading", "raw"}}));
}

TEST_F(ArgumentsTest, NameTheNearMiss_OfAnUnknownOne) {
  const auto error = failure(kRecipe, {{"dimm", "3"}});
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(),
              AllOf(StartsWith("recipe.lua:2: the recipe has no argument 'dimm'"), HasSubstr("did you mean 'dim'?"), HasSubstr("reading")));
}

TEST_F(ArgumentsTest, RefuseIllTypedAndForbiddenValues) {
  const std::vector<std::pair<std::string, std::string>> wrong = {{"dim", "many"}, {"dim", "1.5"},         {"dim", "0"},
                                                                  {"dim", "65"},   {"lr", "fast"},         {"deep", "maybe"},
                                                                  {"dims", "4,x"}, {"reading", "centred"}, {"dim", ""}};
  for (const auto& [name, value] : wrong) {
    const auto error = failure(kRecipe, {{name, value}});
    EXPECT_EQ(error.kind(), ErrorKind::user) << name << "=" << value;
    EXPECT_THAT(error.what(), AllOf(StartsWith("recipe.lua:2: arguments: option '" + name + "' is "), HasSubstr("expected"))) << value;
  }
}

TEST_F(ArgumentsTest, NameTheNearMiss_WhenTheRecipeMisspellsOne) {
  EXPECT_STREQ(failure("local ts = require 'ts'\nlocal arg = ts.arguments{ dim = { default = 4 } }\nprint(arg.dimm)").what(),
               "recipe.lua:3: no argument 'dimm' (did you mean 'dim'?)");
}

TEST_F(ArgumentsTest, RefuseMisspeltFieldsOfADeclaration) {
  EXPECT_THAT(failure("local ts = require 'ts'\nts.arguments{ dim = { defalt = 4 } }").what(),
              AllOf(StartsWith("recipe.lua:2: argument 'dim': unknown field 'defalt'"), HasSubstr("did you mean 'default'?")));
  EXPECT_THAT(failure("local ts = require 'ts'\nts.arguments{ dim = 4 }").what(),
              StartsWith("recipe.lua:2: argument 'dim': expected a table"));
}

TEST_F(ArgumentsTest, AreRequired_WithoutADefault) {
  const std::string text =
      "local ts = require 'ts'\nlocal arg = ts.arguments{ folder = { doc = 'where' } }\nts.keep{ folder = arg.folder }";
  EXPECT_THAT(failure(text).what(), AllOf(StartsWith("recipe.lua:2: "), HasSubstr("'folder'")));
  run(text, {{"folder", "here"}});
  EXPECT_EQ(kept_[0]["folder"], "here");
}

TEST_F(ArgumentsTest, AreRefused_WhenTheRecipeDeclaresNone) {
  const auto error = failure("local ts = require 'ts'\nts.square{ x = 1 }", {{"dim", "3"}});
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), HasSubstr("--set dim=3"));
  EXPECT_EQ(computed_, 0);
}

TEST_F(ArgumentsTest, AreDescribed_WithoutRunningTheRecipe) {
  const auto lab = make_lab();
  const auto table = recipe_arguments(*lab, write(kRecipe));
  EXPECT_TRUE(kept_.empty());
  ASSERT_NE(table.find("dim"), nullptr);
  EXPECT_EQ(table.find("dim")->doc, "dimensions");
  EXPECT_EQ(table.all().size(), 6u);
}

}  // namespace
}  // namespace tsrun
