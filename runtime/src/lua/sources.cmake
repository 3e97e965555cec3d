tsrun_room(lua TORCH SOURCES)
