tsrun_room(data
  SOURCES as_text_to_text.cpp batch.cpp builtin.cpp builtin_corpus.cpp builtin_language.cpp builtin_stories.cpp builtin_tasks.cpp builtin_tokenizer.cpp
    conll.cpp crossfit.cpp delimited.cpp diversity.cpp documents.cpp encode_documents.cpp encode_split.cpp encode_text.cpp encode_words.cpp examples.cpp
    json_lines.cpp label_order.cpp majority.cpp metric_names.cpp metrics.cpp rows.cpp save_rows.cpp save_task.cpp table.cpp table_cells.cpp
    tag_metrics.cpp task.cpp limit_rows.cpp
    targets.cpp task_columns.cpp task_file.cpp task_kinds.cpp task_sections.cpp template.cpp text_metrics.cpp word_control.cpp words.cpp
  LIBRARIES PkgConfig::TOMLPP)
