tsrun_test(base SOURCES
  unit/base/random_test.cpp)
