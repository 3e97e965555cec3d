tsrun_test(base SOURCES
  unit/base/durable_test.cpp
  unit/base/files_test.cpp
  unit/base/hash_test.cpp
  unit/base/interrupt_test.cpp
  unit/base/log_test.cpp
  unit/base/memory_test.cpp
  unit/base/options_test.cpp
  unit/base/parallel_test.cpp
  unit/base/printable_test.cpp
  unit/base/random_test.cpp
  unit/base/stage_count_test.cpp
  unit/base/suggest_test.cpp
  unit/base/unread_test.cpp
  unit/base/vectors_test.cpp)
