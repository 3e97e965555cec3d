tsrun_room(tune TORCH SOURCES)
