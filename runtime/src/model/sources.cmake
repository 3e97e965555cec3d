# Narrow ATen headers compile faster here than the shared precompiled one.
tsrun_room(model SOURCES
  weights.cpp
  families.cpp
  config_reader.cpp
  blocks.cpp
  bert_config.cpp
  bert_parameters.cpp
  bert.cpp
  initial.cpp
  match.cpp
  load.cpp
  save.cpp
  tensors.cpp
  loss.cpp
  composition.cpp
  dropout.cpp
  add_norm.cpp
  attention.cpp
  attention_composition.cpp
  dropout_kernel.cpp
  norm_kernel.cpp
  attention_kernel.cpp)

# Kernels know no LibTorch, and pass vectors only between inlined functions, so the warning about their calling convention is void.
foreach(_kernel dropout_kernel norm_kernel attention_kernel)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/runtime/src/model/${_kernel}.cpp PROPERTIES
    COMPILE_OPTIONS "-Wno-psabi")
endforeach()
