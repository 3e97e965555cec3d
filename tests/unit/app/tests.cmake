
tsrun_test(app SOURCES unit/app/answers_test.cpp unit/app/command_test.cpp unit/app/process.cpp unit/app/recipes_test.cpp unit/app/run_test.cpp)
add_dependencies(app_test tsrun)
target_compile_definitions(app_test PRIVATE TSRUN_PROGRAM="$<TARGET_FILE:tsrun>")
set_tests_properties(unit.app.0 unit.app.1 PROPERTIES ENVIRONMENT_MODIFICATION OMP_NUM_THREADS=set:1)  # as in end_to_end
