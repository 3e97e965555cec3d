tsrun_room(store SOURCES run_compare.cpp run_folder.cpp store.cpp)
tsrun_optimize(tsrun_store 1)
