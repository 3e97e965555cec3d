tsrun_test(tune SOURCES unit/tune/parameter_set_test.cpp unit/tune/trajectory_test.cpp unit/tune/mask_test.cpp unit/tune/binding_test.cpp
  unit/tune/subspace_step_test.cpp unit/tune/subspace_test.cpp unit/tune/rounded_basis_test.cpp unit/tune/reach_test.cpp unit/tune/python_expression_test.cpp unit/tune/module_rules_test.cpp unit/tune/scope_test.cpp unit/tune/entry_masks_test.cpp unit/tune/chosen_entries_test.cpp unit/tune/mixed_weight_test.cpp
  unit/tune/word_statistics_test.cpp)
