tsrun_room(train TORCH SOURCES)
