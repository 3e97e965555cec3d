tsrun_test(experiment TORCH SOURCES unit/experiment/lab_test.cpp unit/experiment/store_test.cpp)
