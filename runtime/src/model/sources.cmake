tsrun_room(model TORCH SOURCES)
