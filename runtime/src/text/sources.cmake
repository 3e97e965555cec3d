tsrun_room(text
  SOURCES added_tokens.cpp added_tokens_json.cpp base64.cpp bpe.cpp byte_alphabet.cpp byte_fallback.cpp byte_level_document.cpp characters.cpp
          charsmap.cpp class_document.cpp decoder.cpp document_parts.cpp encode_batch.cpp expression.cpp folder.cpp folder_config.cpp graphemes.cpp
          json_fields.cpp model_files.cpp normal_steps.cpp normalizer.cpp pair_table.cpp pattern.cpp piece_steps.cpp pipeline.cpp post_processor.cpp
          pre_tokenizer.cpp row_template.cpp sentencepiece_document.cpp sentencepiece_file.cpp sentencepiece_merges.cpp split_step.cpp
          pair_merger.cpp token_merger.cpp token_names.cpp tokenizer_class.cpp tokenizer_settings.cpp train_byte_bpe.cpp train_words.cpp training_parts.cpp
          trie.cpp unicode_steps.cpp unigram.cpp utf8.cpp vocabulary.cpp
          word_class.cpp word_level.cpp word_split.cpp word_table.cpp wordpiece.cpp wordpiece_document.cpp)
tsrun_optimize(tsrun_text 3)
