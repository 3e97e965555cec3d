tsrun_room(plugin TORCH SOURCES)
