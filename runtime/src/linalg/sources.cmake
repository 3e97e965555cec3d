# Products of float32 numbers are exact in float64, so fused multiply-add changes no result of the Gram and project kernels.
set_source_files_properties(src/linalg/gram.cpp src/linalg/rows.cpp src/linalg/combine.cpp PROPERTIES COMPILE_OPTIONS "-ffp-contract=fast")
# Vectors pass only between inlined functions, so the warning about their calling convention is void.
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/nearest_units.cpp PROPERTIES COMPILE_OPTIONS "-Wno-psabi")
tsrun_room(linalg SOURCES layout.cpp gram.cpp rows.cpp combine.cpp matrix.cpp orthonormal.cpp ranking.cpp mark_largest.cpp rank.cpp hadamard.cpp fastfood.cpp row_svd.cpp long_rows.cpp
  largest_lists.cpp marked.cpp nearest_units.cpp rounded_units.cpp sparse_graph.cpp unit_sum.cpp sum_of_squares.cpp quantized_rows.cpp)
tsrun_optimize(tsrun_linalg 3)
