tsrun_test(linalg SOURCES unit/linalg/layout_test.cpp unit/linalg/rows_test.cpp unit/linalg/ranking_test.cpp unit/linalg/hadamard_test.cpp unit/linalg/long_rows_test.cpp
  unit/linalg/largest_lists_test.cpp unit/linalg/nearest_units_test.cpp unit/linalg/marked_test.cpp unit/linalg/sparse_graph_test.cpp unit/linalg/unit_sum_test.cpp unit/linalg/quantized_rows_test.cpp)
