tsrun_room(checkpoint SOURCES)
