# tsrun_settings: what every target of ours compiles with. tsrun_room(NAME SOURCES …): one room of the runtime.
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

# LibTorch's headers take most of a compilation; rooms that include them share one precompiled header, and so do the plugins.
add_library(tsrun_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(tsrun_pch PUBLIC tsrun_settings tsrun::torch fmt::fmt nlohmann_json::nlohmann_json)
target_precompile_headers(tsrun_pch PUBLIC <ATen/ATen.h> <torch/csrc/autograd/custom_function.h> <nlohmann/json.hpp> <fmt/format.h>)

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
  set_property(GLOBAL APPEND PROPERTY TSRUN_ROOM_TARGETS tsrun_${name})
endfunction()
