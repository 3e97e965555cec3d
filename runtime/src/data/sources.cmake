tsrun_room(data
  SOURCES batch.cpp delimited.cpp examples.cpp json_lines.cpp metrics.cpp save_task.cpp table.cpp task.cpp task_file.cpp
    builtin.cpp builtin_corpus.cpp builtin_language.cpp builtin_tasks.cpp
  LIBRARIES PkgConfig::TOMLPP)
