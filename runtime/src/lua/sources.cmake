set(_lua_files candidates.lua common.lua figures.lua intrinsic_dimension.lua intrinsic_dimension_options.lua recipes_head.md report.lua sandbox.lua search.lua sweep.lua ts.lua)
list(TRANSFORM _lua_files PREPEND ${PROJECT_SOURCE_DIR}/scripts/lua/)
set(_lua_embedded ${CMAKE_BINARY_DIR}/generated/lua_sources.cpp)
list(JOIN _lua_files "," _lua_list)
add_custom_command(OUTPUT ${_lua_embedded}
  COMMAND ${CMAKE_COMMAND} "-DINPUTS=${_lua_list}" -DOUTPUT=${_lua_embedded} -P ${PROJECT_SOURCE_DIR}/cmake/TsrunEmbed.cmake
  DEPENDS ${_lua_files} ${PROJECT_SOURCE_DIR}/cmake/TsrunEmbed.cmake COMMENT "Embedding the Lua side" VERBATIM)

tsrun_room(lua SOURCES arguments.cpp convert.cpp error_value.cpp failure.cpp native.cpp recipe.cpp reference.cpp state.cpp LIBRARIES PkgConfig::LUA)
target_sources(tsrun_lua PRIVATE ${_lua_embedded})
set_source_files_properties(${_lua_embedded} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
