# parallel.cpp instantiates LibTorch's parallel_for, which is serial unless OpenMP is on. random_fill.cpp promises the same bits on every
# machine, so the compiler must not fuse multiplications with additions where the processor could.
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/parallel.cpp PROPERTIES COMPILE_OPTIONS "-fopenmp")
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/random_fill.cpp PROPERTIES COMPILE_OPTIONS "-O3;-ffp-contract=off;-Wno-psabi")
tsrun_room(base
  SOURCES
    bar_text.cpp
    console.cpp
    display.cpp
    durable_file.cpp
    durable_folder.cpp
    fault.cpp
    files.cpp
    hash.cpp
    interrupt.cpp
    log.cpp
    news.cpp
    options.cpp
    parallel.cpp
    printable.cpp
    progress.cpp
    random.cpp
    random_fill.cpp
    stage_count.cpp
    suggest.cpp
    unread.cpp
    vectors.cpp
    memory.cpp
  LIBRARIES OpenSSL::Crypto)
tsrun_optimize(tsrun_base 2)
