#include "unit/lua/fixture.h"

namespace tsrun {
namespace {

using ReferenceTest = RecipeTest;

TEST_F(ReferenceTest, ListsEveryOperationWithItsOptions) {
  const auto lab = make_lab();
  const auto page = reference_page(*lab);
  EXPECT_THAT(page, AllOf(HasSubstr("### `ts.square`"), HasSubstr("| `x` | integer | required | 0 to 1000 | Number. |"),
                          HasSubstr("### `ts.sweep(grid, body)`"), HasSubstr("Returns: [`train`](#train-a-result)."),
                          HasSubstr("### `train`, a result")));
}

TEST_F(ReferenceTest, StubsAreLua_AndTyped) {
  const auto lab = make_lab();
  const auto stubs = lua_stubs(*lab);
  EXPECT_THAT(stubs, AllOf(StartsWith("---@meta"), HasSubstr("---@field x integer Number."), HasSubstr("---@field epochs? integer"),
                           HasSubstr("---@return ts.train_result\nfunction ts.train(options) end"), HasSubstr("---@field last? any"),
                           HasSubstr("function ts.square(options) end"), HasSubstr("function ts.sweep(grid, body) end")));
  write(stubs, "stubs.lua");
  EXPECT_NO_THROW(run("require 'stubs'"));
}

}  // namespace
}  // namespace tsrun
