tsrun_room(plugin SOURCES elf.cpp guard.cpp guard_delta.cpp guard_events.cpp host.cpp library.cpp LIBRARIES PkgConfig::LIBELF)
target_compile_definitions(tsrun_plugin PRIVATE TSRUN_ABI_TEXT="${TSRUN_ABI_TAG}")
