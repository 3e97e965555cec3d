tsrun_room(data SOURCES
  builtin.cpp builtin_acceptability.cpp builtin_corpus.cpp builtin_facts.cpp builtin_lexicon.cpp builtin_pairs.cpp builtin_sentences.cpp builtin_tasks.cpp)
