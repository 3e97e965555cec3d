tsrun_room(experiment TORCH SOURCES lab.cpp store.cpp)
target_compile_definitions(tsrun_experiment PRIVATE TSRUN_VERSION="${PROJECT_VERSION}")
