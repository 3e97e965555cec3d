# tsrun_settings: what every target of ours compiles with. tsrun_room(NAME SOURCES …): one room of the runtime.
include(CheckCXXCompilerFlag)
add_library(tsrun_settings INTERFACE)
# GCC 12 warns of an overlap in "literal" + string that cannot happen (GCC bug 105651); GCC 14 of a std::vector<bool> inside LibTorch 2.6's
# autograd::Function that copies no word too many, and of references that a function returns, when one of its arguments was a temporary.
# Nothing here reads errno after a function of <cmath>, and square roots become vector instructions without it.
target_compile_options(tsrun_settings INTERFACE -fno-math-errno -Wall -Wextra -Wpedantic -Wno-unused-parameter $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  "$<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-dangling-reference>"
  $<$<BOOL:${TSRUN_WERROR}>:-Werror>)
target_include_directories(tsrun_settings INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime/include>)
if(TSRUN_SANITIZE)
  target_compile_options(tsrun_settings INTERFACE -fsanitize=${TSRUN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(tsrun_settings INTERFACE -fsanitize=${TSRUN_SANITIZE})
endif()
find_program(TSRUN_CCACHE ccache)
if(TSRUN_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${TSRUN_CCACHE})
endif()

# LibTorch's headers take most of a compilation; rooms that include them share one precompiled header, and so do the plugins. GCC instantiates
# all templates that its inline functions use again in every source, about two seconds.
add_library(tsrun_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(tsrun_pch PUBLIC tsrun_settings tsrun::torch fmt::fmt nlohmann_json::nlohmann_json)
target_precompile_headers(tsrun_pch PUBLIC <tsrun/base/operators.h> <nlohmann/json.hpp> <fmt/format.h>)

# tsrun_even_batches(TARGET): batches of a unity build of about one size, so that none is a single source at the end and none much longer than the others.
function(tsrun_even_batches target)
  if(NOT CMAKE_UNITY_BUILD)
    return()
  endif()
  get_target_property(_sources ${target} SOURCES)
  set(_together 0)
  foreach(_source ${_sources})
    get_source_file_property(_alone ${_source} COMPILE_OPTIONS)  # CMake compiles those with options of their own by themselves
    if(NOT _alone AND _source MATCHES "\\.cpp$")
      math(EXPR _together "${_together} + 1")
    endif()
  endforeach()
  math(EXPR _batches "(${_together} + ${CMAKE_UNITY_BUILD_BATCH_SIZE} - 1) / ${CMAKE_UNITY_BUILD_BATCH_SIZE}")
  math(EXPR _size "(${_together} + ${_batches} - 1) / ${_batches}")
  set_target_properties(${target} PROPERTIES UNITY_BUILD_BATCH_SIZE ${_size})
endfunction()

# tsrun_optimize(TARGET LEVEL): more than -O1, for loops over numbers or characters.
function(tsrun_optimize target level)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O${level}>)
endfunction()

# GCC 13 and newer turn these two on with -O2 and off with -O1 on x86, and refuse a precompiled header where they differ.
check_cxx_compiler_flag(-munroll-only-small-loops TSRUN_HAS_UNROLL_ONLY_SMALL_LOOPS)
if(TSRUN_HAS_UNROLL_ONLY_SMALL_LOOPS)
  target_compile_options(tsrun_settings INTERFACE -munroll-only-small-loops -mvzeroupper)
endif()

# GCC 12 fails where a source that is compiled by more than -O1 takes a header that was precompiled by -O1.
tsrun_optimize(tsrun_pch 2)

# tsrun_room(NAME [TORCH] SOURCES … [LIBRARIES …]): an object library tsrun_NAME that becomes part of libtsrun.
function(tsrun_room name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT ARG_SOURCES)
    return()
  endif()
  list(TRANSFORM ARG_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/runtime/src/${name}/)
  add_library(tsrun_${name} OBJECT ${ARG_SOURCES})
  target_include_directories(tsrun_${name} PRIVATE ${PROJECT_SOURCE_DIR}/runtime/src)
  target_link_libraries(tsrun_${name} PUBLIC tsrun_settings tsrun::torch fmt::fmt nlohmann_json::nlohmann_json ${ARG_LIBRARIES})
  if(ARG_TORCH)
    target_precompile_headers(tsrun_${name} REUSE_FROM tsrun_pch)
  endif()
  tsrun_even_batches(tsrun_${name})
  set_property(GLOBAL APPEND PROPERTY TSRUN_ROOM_TARGETS tsrun_${name})
endfunction()
