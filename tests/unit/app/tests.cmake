
tsrun_test(app SOURCES unit/app/answers_test.cpp unit/app/command_test.cpp unit/app/process.cpp unit/app/recipes_test.cpp unit/app/run_test.cpp)
add_dependencies(app_test tsrun)
target_compile_definitions(app_test PRIVATE TSRUN_PROGRAM="$<TARGET_FILE:tsrun>")
