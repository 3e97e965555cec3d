tsrun_room(experiment TORCH SOURCES)
