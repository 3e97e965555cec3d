tsrun_room(text
  SOURCES added_tokens.cpp characters.cpp folder.cpp json_fields.cpp normalizer.cpp row_template.cpp trie.cpp utf8.cpp vocabulary.cpp
          wordpiece.cpp wordpiece_files.cpp)
