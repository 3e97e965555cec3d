tsrun_test(experiment SOURCES unit/experiment/lab_test.cpp unit/experiment/store_test.cpp)
