tsrun_test(experiment SOURCES
  unit/experiment/figures_test.cpp unit/experiment/lab_test.cpp unit/experiment/peft_test.cpp unit/experiment/report_test.cpp unit/experiment/run_folder_test.cpp unit/experiment/store_test.cpp)
add_dependencies(experiment_test lora)
