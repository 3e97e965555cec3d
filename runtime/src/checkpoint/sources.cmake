tsrun_room(checkpoint
  SOURCES
    data_type.cpp
    folder.cpp
    hub.cpp
    pickle.cpp
    safetensors_reader.cpp
    safetensors_writer.cpp)
