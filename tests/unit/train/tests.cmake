tsrun_test(train SOURCES
  unit/train/adafactor_test.cpp
  unit/train/answers_test.cpp
  unit/train/kinds.cpp
  unit/train/kinds_test.cpp
  unit/train/option_table_test.cpp
  unit/train/smoothing_test.cpp
  unit/train/optimizer_test.cpp
  unit/train/step_plan_test.cpp
  unit/train/train_test.cpp
  unit/train/step_events_test.cpp
  unit/train/scoped_training_test.cpp
  unit/train/span_corruption_test.cpp
  unit/train/subspace_test.cpp
  unit/train/run_state_test.cpp
  unit/train/loop_test.cpp
  unit/train/geometry_recorder_test.cpp
  unit/train/probe_test.cpp
  unit/train/layer_work_test.cpp
  unit/train/settings_test.cpp
  unit/train/pretrain_test.cpp
  unit/train/joint_tasks_test.cpp
  unit/train/bootstrap_test.cpp
  unit/train/carried_training_test.cpp
  unit/train/adafactor_rule_test.cpp
  unit/train/toy.cpp)
add_dependencies(train_test adapter lora prefix)
