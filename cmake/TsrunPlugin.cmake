# tsrun_add_plugin(NAME SOURCES … [LOOPS]): a library that tsrun can load. Works in this tree and, through find_package(tsrun), out of it.
# It is built with hidden visibility, without the "lib" prefix, and with the ABI tag that the runtime expects. In this tree its sources are
# compiled once, as NAME_objects, for the library and for the plugin's test; with LOOPS (over the entries of tensors) by -O2.
string(REPLACE "." "_" TSRUN_TORCH_TAG "${TSRUN_TORCH_VERSION}")
set(TSRUN_ABI_TAG tsrun_abi_10_torch_${TSRUN_TORCH_TAG}_cxx11_1)

function(tsrun_add_plugin name)
  cmake_parse_arguments(ARG "LOOPS" "" "SOURCES;LIBRARIES" ${ARGN})
  set(_compiled ${name})
  if(TARGET tsrun_pch)  # in this tree
    set(_compiled ${name}_objects)
    add_library(${_compiled} OBJECT ${ARG_SOURCES})
    target_link_libraries(${_compiled} PRIVATE tsrun::tsrun tsrun_settings ${ARG_LIBRARIES})
    # GCC 12 warns of a string that is moved into a vector (as of literals, TsrunTargets.cmake).
    target_compile_options(${_compiled} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>)
    target_precompile_headers(${_compiled} REUSE_FROM tsrun_pch)
    tsrun_even_batches(${_compiled})
    if(ARG_LOOPS)
      tsrun_optimize(${_compiled} 2)
    endif()
    add_library(${name} MODULE $<TARGET_OBJECTS:${_compiled}>)
    set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/tsrun/plugins
      INSTALL_RPATH "$ORIGIN/../..;${TSRUN_TORCH_LIBDIR}")
    target_link_libraries(${name} PRIVATE tsrun_settings)
    install(TARGETS ${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/tsrun/plugins)
  else()
    add_library(${name} MODULE ${ARG_SOURCES})
  endif()
  target_link_libraries(${name} PRIVATE tsrun::tsrun ${ARG_LIBRARIES})
  target_compile_features(${_compiled} PRIVATE cxx_std_20)
  target_compile_definitions(${_compiled} PRIVATE TSRUN_ABI_TAG=${TSRUN_ABI_TAG})
  set_target_properties(${_compiled} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  set_target_properties(${name} PROPERTIES PREFIX "")
endfunction()

# tsrun_add_plugin_test(NAME SOURCES … [INCLUDES …] [SHARDS N]): one test program from the sources and tests of one plugin or several; the conformance
# suite of tsrun::plugin_testing, which has a main, is registered for every method that the plugins add. Needs GoogleTest.
function(tsrun_add_plugin_test name)
  cmake_parse_arguments(ARG "" "SHARDS" "SOURCES;INCLUDES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE tsrun::plugin_testing GTest::gtest)
  target_include_directories(${name} PRIVATE ${ARG_INCLUDES})
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_compile_definitions(${name} PRIVATE TSRUN_ABI_TAG=${TSRUN_ABI_TAG})
  if(TARGET tsrun_test_pch)  # in this tree
    target_link_libraries(${name} PRIVATE tsrun_settings)
    target_precompile_headers(${name} REUSE_FROM tsrun_test_pch)
    tsrun_even_batches(${name})
  endif()
  tsrun_add_test_in_shards(plugin.${name} ${name} "${ARG_SHARDS}")
endfunction()

# tsrun_add_test_in_shards(NAME PROGRAM [SHARDS]): ctest entries NAME.0, NAME.1, … of a GoogleTest program; NAME alone for one. An entry is one
# process: a start, in which LibTorch is relocated, takes longer than most tests.
function(tsrun_add_test_in_shards name program)
  if(NOT ARGN)
    add_test(NAME ${name} COMMAND ${program} --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES TIMEOUT 600)
    return()
  endif()
  math(EXPR _last "${ARGN} - 1")
  foreach(_shard RANGE ${_last})
    add_test(NAME ${name}.${_shard} COMMAND ${program} --gtest_brief=1)
    set_tests_properties(${name}.${_shard} PROPERTIES TIMEOUT 900 ENVIRONMENT "GTEST_TOTAL_SHARDS=${ARGN};GTEST_SHARD_INDEX=${_shard}")
  endforeach()
endfunction()
