tsrun_room(store SOURCES run_compare.cpp run_folder.cpp store.cpp)
