tsrun_room(base SOURCES)
