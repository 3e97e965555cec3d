tsrun_test(experiment TORCH SOURCES unit/experiment/report_test.cpp unit/experiment/run_folder_test.cpp)
