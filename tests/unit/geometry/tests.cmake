tsrun_test(geometry SOURCES unit/geometry/geometry_test.cpp unit/geometry/frequency_test.cpp)
