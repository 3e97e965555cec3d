tsrun_test(text SOURCES
  unit/text/added_tokens_test.cpp unit/text/bpe_test.cpp unit/text/goldens_test.cpp unit/text/load_tokenizer_test.cpp unit/text/row_template_test.cpp
  unit/text/tokenizer_files_test.cpp unit/text/tokenizer_folders_test.cpp unit/text/tokenizer_goldens_test.cpp unit/text/train_tokenizer_test.cpp unit/text/trie_test.cpp unit/text/utf8_test.cpp unit/text/wordpiece_test.cpp unit/text/words_test.cpp)
