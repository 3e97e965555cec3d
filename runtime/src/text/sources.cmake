tsrun_room(text SOURCES)
