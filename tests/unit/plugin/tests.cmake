# Libraries that the host must load, or refuse with good words. Each is a plugin as a third party would build it, or a broken one.
function(tsrun_test_library name)
  add_library(${name} MODULE unit/plugin/libraries/${name}.cpp)
  target_link_libraries(${name} PRIVATE tsrun::tsrun)
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/plugins/${name})
endfunction()

foreach(library line_subspace shifting_delta taken_name throwing_entry)
  tsrun_test_library(${library})
  target_compile_definitions(${library} PRIVATE TSRUN_ABI_TAG=${TSRUN_ABI_TAG})
endforeach()
tsrun_test_library(other_abi)
target_compile_definitions(other_abi PRIVATE TSRUN_ABI_TAG=tsrun_abi_1_torch_1_13_1_cxx11_0)
tsrun_test_library(no_plugin)

tsrun_test(plugin SOURCES unit/plugin/delta_parity_test.cpp unit/plugin/host_test.cpp unit/plugin/events_guard_test.cpp unit/plugin/equal_numbers_test.cpp unit/plugin/delta_matrix_test.cpp)
add_dependencies(plugin_test adapter bitfit compacter full lora ia3 layernorm prefix prompt shared_vector line_subspace shifting_delta taken_name throwing_entry other_abi no_plugin)
