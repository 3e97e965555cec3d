tsrun_test(data SOURCES
  unit/data/builtin_language_test.cpp unit/data/builtin_test.cpp)
