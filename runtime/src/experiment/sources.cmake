tsrun_room(experiment SOURCES lab.cpp store.cpp)
target_compile_definitions(tsrun_experiment PRIVATE TSRUN_VERSION="${PROJECT_VERSION}")
