# parallel.cpp instantiates LibTorch's parallel_for, which is serial unless OpenMP is on. random_fill.cpp promises the same bits on every
# machine, so the compiler must not fuse multiplications with additions where the processor could.
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/parallel.cpp PROPERTIES COMPILE_OPTIONS "-fopenmp")
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/random_fill.cpp PROPERTIES COMPILE_OPTIONS "-ffp-contract=off")
tsrun_room(base
  SOURCES
    durable_file.cpp
    durable_folder.cpp
    fault.cpp
    files.cpp
    hash.cpp
    interrupt.cpp
    options.cpp
    parallel.cpp
    progress.cpp
    random.cpp
    random_fill.cpp
    suggest.cpp
  LIBRARIES OpenSSL::Crypto)

# LibTorch's include folder carries an fmt of its own, newer than the one that the system's spdlog is written for. Hence the one file
# that uses spdlog is compiled without LibTorch.
add_library(tsrun_log OBJECT ${CMAKE_CURRENT_LIST_DIR}/log.cpp)
target_include_directories(tsrun_log PRIVATE ${PROJECT_SOURCE_DIR}/runtime/src)
target_link_libraries(tsrun_log PRIVATE tsrun_settings fmt::fmt spdlog::spdlog)
set_property(GLOBAL APPEND PROPERTY TSRUN_ROOM_TARGETS tsrun_log)
