tsrun_room(data SOURCES)
