tsrun_test(experiment SOURCES
  unit/experiment/artifacts_test.cpp unit/experiment/discover_test.cpp unit/experiment/crossing_test.cpp unit/experiment/identity_test.cpp unit/experiment/initial_weights_test.cpp unit/experiment/geometry_test.cpp unit/experiment/handed_out_test.cpp unit/experiment/label_map_test.cpp unit/experiment/language_test.cpp
  unit/experiment/joint_test.cpp unit/experiment/lab_test.cpp unit/experiment/options_test.cpp unit/experiment/peft_test.cpp unit/experiment/report_rows_test.cpp unit/experiment/reach_test.cpp unit/experiment/results_test.cpp
  unit/experiment/select_test.cpp unit/experiment/trajectory_test.cpp unit/experiment/summaries_test.cpp unit/train/kinds.cpp unit/train/toy.cpp)

# A method that makes a joint space, as a third party would build it.
tsrun_test_library(random_joint unit/experiment/libraries/random_joint.cpp)
target_compile_definitions(random_joint PRIVATE TSRUN_ABI_TAG=${TSRUN_ABI_TAG})
add_dependencies(experiment_test r_drop random_mask fastfood said sparse gradient_svd hessian_top uni_lora adapter bitfit ia3 layernorm lora lora_xs prefix prompt random_projection trajectory_svd random_joint shifting_delta)
