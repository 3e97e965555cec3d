tsrun_test(store SOURCES unit/store/record_test.cpp unit/store/run_folder_test.cpp unit/store/store_test.cpp)
