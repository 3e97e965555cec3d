tsrun_test(lua SOURCES unit/lua/arguments_test.cpp unit/lua/intrinsic_dimension_test.cpp unit/lua/recipe_test.cpp unit/lua/reference_test.cpp unit/lua/sandbox_test.cpp unit/lua/sweep_test.cpp)
