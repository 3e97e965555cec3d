tsrun_test(model SOURCES
  unit/model/attention_test.cpp
  unit/model/bert_test.cpp
  unit/model/config_fields_test.cpp
  unit/model/config_test.cpp
  unit/model/dropout_test.cpp
  unit/model/generate_test.cpp
  unit/model/kernels_test.cpp
  unit/model/load_test.cpp
  unit/model/mapped_test.cpp
  unit/model/minilm_test.cpp
  unit/model/parity_test.cpp
  unit/model/product_test.cpp
  unit/model/recompute_test.cpp
  unit/model/stories_test.cpp
  unit/model/t5_test.cpp
  unit/model/ties_test.cpp
  unit/model/variants_test.cpp)
