tsrun_test(data SOURCES
  unit/data/batch_test.cpp unit/data/builtin_test.cpp unit/data/load_task_test.cpp
  unit/data/metrics_test.cpp unit/data/shared_tasks_test.cpp unit/data/table_test.cpp unit/data/task_file_test.cpp)
