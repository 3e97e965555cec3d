tsrun_test(checkpoint SOURCES
  unit/checkpoint/folder_test.cpp
  unit/checkpoint/hub_test.cpp
  unit/checkpoint/pickle_test.cpp
  unit/checkpoint/safetensors_test.cpp)
