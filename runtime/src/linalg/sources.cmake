tsrun_room(linalg SOURCES)
