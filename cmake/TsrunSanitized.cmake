# The target tsrun_sanitized: libtsrun once more, as sanitized/libtsrun.so, with the rooms of TSRUN_SANITIZED_ROOMS under AddressSanitizer and
# UndefinedBehaviorSanitizer, and the objects of the other rooms as they are. `scripts/test --sanitize` runs the tests of these rooms with it in place of
# libtsrun: the tests need not be built again.
set(TSRUN_SANITIZED_ROOMS base linalg checkpoint text data model plugin store lua CACHE STRING "Rooms that tsrun_sanitized instruments")

add_library(tsrun_sanitizers INTERFACE)
target_compile_options(tsrun_sanitizers INTERFACE -O1 -g1 -UNDEBUG -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)

add_library(tsrun_sanitized_pch OBJECT EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(tsrun_sanitized_pch PRIVATE tsrun_pch tsrun_sanitizers)

# A room's sources with its definitions and libraries, but the sanitizers' options.
function(tsrun_sanitized_room room)
  foreach(_property SOURCES INCLUDE_DIRECTORIES LINK_LIBRARIES COMPILE_DEFINITIONS PRECOMPILE_HEADERS_REUSE_FROM)
    get_target_property(_${_property} tsrun_${room} ${_property})
    if(NOT _${_property})
      set(_${_property} "")
    endif()
  endforeach()
  set(_target tsrun_${room}_sanitized)
  add_library(${_target} OBJECT EXCLUDE_FROM_ALL ${_SOURCES})
  target_include_directories(${_target} PRIVATE ${_INCLUDE_DIRECTORIES})
  target_compile_definitions(${_target} PRIVATE ${_COMPILE_DEFINITIONS})
  target_link_libraries(${_target} PRIVATE ${_LINK_LIBRARIES} tsrun_sanitizers)
  if(_PRECOMPILE_HEADERS_REUSE_FROM)
    target_precompile_headers(${_target} REUSE_FROM tsrun_sanitized_pch)
  endif()
  tsrun_even_batches(${_target})
endfunction()

set(_instrumented)
set(_plain)
get_property(_rooms GLOBAL PROPERTY TSRUN_ROOM_TARGETS)
foreach(_target ${_rooms})
  string(REPLACE tsrun_ "" _room ${_target})
  if(_room IN_LIST TSRUN_SANITIZED_ROOMS)
    tsrun_sanitized_room(${_room})
    list(APPEND _instrumented $<TARGET_OBJECTS:${_target}_sanitized>)
  else()
    list(APPEND _plain $<TARGET_OBJECTS:${_target}>)
  endif()
endforeach()

# The linker keeps the first of equal inline functions, and -Bsymbolic-functions binds the library to its own rather than to those of a test.
add_library(tsrun_sanitized SHARED EXCLUDE_FROM_ALL ${_instrumented} ${_plain})
set_target_properties(tsrun_sanitized PROPERTIES OUTPUT_NAME tsrun LINKER_LANGUAGE CXX SOVERSION 0 LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/sanitized)
get_target_property(_libraries tsrun_library LINK_LIBRARIES)
target_link_libraries(tsrun_sanitized PRIVATE ${_libraries})
target_link_options(tsrun_sanitized PRIVATE -fsanitize=address,undefined -Wl,-Bsymbolic-functions)
