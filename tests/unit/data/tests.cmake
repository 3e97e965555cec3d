tsrun_test(data SOURCES
  unit/data/as_text_to_text_test.cpp unit/data/batch_test.cpp unit/data/builtin_test.cpp unit/data/builtin_tokenizer_test.cpp
  unit/data/diversity_test.cpp unit/data/encode_documents_test.cpp unit/data/encode_split_test.cpp unit/data/encode_text_test.cpp unit/data/encode_words_test.cpp
  unit/data/kinds_test.cpp unit/data/label_order_test.cpp unit/data/load_kinds_test.cpp unit/data/load_task_test.cpp unit/data/metrics_test.cpp
  unit/data/missing_test.cpp
  unit/data/readers_test.cpp unit/data/save_task_test.cpp unit/data/shared_tasks_test.cpp unit/data/table_test.cpp
  unit/data/tag_metrics_test.cpp unit/data/task_file_test.cpp unit/data/template_test.cpp unit/data/text_metrics_test.cpp
  unit/data/word_control_test.cpp unit/data/words_test.cpp unit/data/limit_rows_test.cpp)
