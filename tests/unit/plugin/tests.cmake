# Libraries that the host must load, or refuse with good words.
foreach(library line_subspace shifting_delta taken_name throwing_entry)
  tsrun_test_library(${library} unit/plugin/libraries/${library}.cpp)
  target_compile_definitions(${library} PRIVATE TSRUN_ABI_TAG=${TSRUN_ABI_TAG})
endforeach()
tsrun_test_library(other_abi unit/plugin/libraries/other_abi.cpp)
target_compile_definitions(other_abi PRIVATE TSRUN_ABI_TAG=tsrun_abi_1_torch_1_13_1_cxx11_0)
tsrun_test_library(no_plugin unit/plugin/libraries/no_plugin.cpp)

tsrun_test(plugin SOURCES unit/plugin/delta_parity_test.cpp unit/plugin/host_test.cpp unit/plugin/events_guard_test.cpp unit/plugin/equal_numbers_test.cpp unit/plugin/delta_matrix_test.cpp
  unit/plugin/step_matrix_test.cpp unit/train/kinds.cpp unit/train/toy.cpp)
get_property(_plugins GLOBAL PROPERTY TSRUN_PLUGINS)
add_dependencies(plugin_test ${_plugins} line_subspace shifting_delta taken_name throwing_entry other_abi no_plugin)
