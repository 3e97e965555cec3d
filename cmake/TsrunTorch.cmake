# LibTorch as the imported target tsrun::torch, found by its files rather than by TorchConfig.cmake: that one asks for a CUDA toolkit
# when the wheel has CUDA, and takes Debian's libc10 when Debian's libtorch is installed beside another.
#
# Input: TSRUN_TORCH, the folder that holds include/ and lib/ (or a prefix such as /usr).
set(TSRUN_TORCH "$ENV{TSRUN_TORCH}" CACHE PATH "LibTorch: folder with include/ and lib/")

if(NOT TSRUN_TORCH)
  find_package(Python3 QUIET COMPONENTS Interpreter)
  if(Python3_FOUND)
    execute_process(COMMAND ${Python3_EXECUTABLE} -c "import os, torch; print(os.path.dirname(torch.__file__))"
      OUTPUT_VARIABLE _torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  if(NOT _torch)
    set(_torch /usr)
  endif()
  set_property(CACHE TSRUN_TORCH PROPERTY VALUE ${_torch})
endif()

find_path(TSRUN_TORCH_INCLUDE torch/csrc/api/include/torch/torch.h HINTS ${TSRUN_TORCH}/include NO_DEFAULT_PATH)
set(_libs ${TSRUN_TORCH}/lib ${TSRUN_TORCH}/lib/${CMAKE_LIBRARY_ARCHITECTURE})
foreach(_name torch_cpu c10 torch_cuda c10_cuda)
  find_library(TSRUN_TORCH_LIB_${_name} ${_name} HINTS ${_libs} NO_DEFAULT_PATH)
endforeach()
if(NOT TSRUN_TORCH_INCLUDE OR NOT TSRUN_TORCH_LIB_torch_cpu OR NOT TSRUN_TORCH_LIB_c10)
  message(FATAL_ERROR "No LibTorch in '${TSRUN_TORCH}' (expected include/torch and lib/libtorch_cpu.so). "
    "Run scripts/tsrun, which finds or installs one, or pass -DTSRUN_TORCH=<folder of the Python package torch>.")
endif()

file(STRINGS ${TSRUN_TORCH_INCLUDE}/torch/csrc/api/include/torch/version.h _lines REGEX "TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
if(NOT _lines)  # since 2.9 the numbers live beside headeronly
  file(STRINGS ${TSRUN_TORCH_INCLUDE}/torch/headeronly/version.h _lines REGEX "TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
endif()
string(REGEX MATCHALL "[0-9]+" _numbers "${_lines}")
list(JOIN _numbers "." TSRUN_TORCH_VERSION)
if(TSRUN_TORCH_VERSION VERSION_LESS 2.6)
  message(FATAL_ERROR "LibTorch ${TSRUN_TORCH_VERSION} in '${TSRUN_TORCH}' is too old: 2.6 or newer is needed. Set TSRUN_TORCH to another.")
endif()

add_library(tsrun_torch INTERFACE IMPORTED GLOBAL)
add_library(tsrun::torch ALIAS tsrun_torch)
# The wheel carries headers of an fmt of its own, without the library and newer than it: a folder with nothing
# but the system's fmt goes before it.
if(EXISTS ${TSRUN_TORCH_INCLUDE}/fmt/format.h)
  find_path(TSRUN_FMT_INCLUDE fmt/format.h)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/tsrun_fmt)
  file(CREATE_LINK ${TSRUN_FMT_INCLUDE}/fmt ${CMAKE_BINARY_DIR}/tsrun_fmt/fmt SYMBOLIC)
  target_include_directories(tsrun_torch SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/tsrun_fmt)
endif()
target_include_directories(tsrun_torch SYSTEM INTERFACE ${TSRUN_TORCH_INCLUDE} ${TSRUN_TORCH_INCLUDE}/torch/csrc/api/include)
# LibTorch's headers then include the operators they call, in place of all of them.
target_compile_definitions(tsrun_torch INTERFACE AT_PER_OPERATOR_HEADERS)
set(_torch_libraries ${TSRUN_TORCH_LIB_torch_cpu} ${TSRUN_TORCH_LIB_c10})
# The wheels' libraries export a std::filesystem of another compiler, whose functions crash when they meet libstdc++'s own. Symbols are looked up in the
# order of linking, so libstdc++ goes first, and libtorch.so, which holds nothing else, is left out (tests/end_to_end/binds_no_foreign_symbols.sh).
if(TSRUN_TORCH_LIB_torch_cuda)  # registers the CUDA back end; nothing refers to its symbols, so the linker must be told to keep it
  list(PREPEND _torch_libraries -Wl,--no-as-needed ${TSRUN_TORCH_LIB_torch_cuda} ${TSRUN_TORCH_LIB_c10_cuda} -Wl,--as-needed)
endif()
if(NOT APPLE)
  list(PREPEND _torch_libraries -Wl,--push-state,--no-as-needed,-lstdc++,--pop-state)
endif()
target_link_libraries(tsrun_torch INTERFACE ${_torch_libraries})
get_filename_component(TSRUN_TORCH_LIBDIR ${TSRUN_TORCH_LIB_torch_cpu} DIRECTORY)
message(STATUS "LibTorch ${TSRUN_TORCH_VERSION} in ${TSRUN_TORCH}")
