tsrun_room(experiment TORCH SOURCES
  artifacts.cpp export.cpp handed_out.cpp handles.cpp lab.cpp operations_evaluate.cpp operations_model.cpp operations_report.cpp operations_train.cpp operations_tuning.cpp operations_select.cpp
  profile.cpp peft.cpp start.cpp joint.cpp operations_joint.cpp operations_decode.cpp operations_low_rank.cpp
  export_solution.cpp peft_write.cpp peft_config.cpp peft_values.cpp identity.cpp summaries.cpp model_source.cpp step_plugins.cpp taken_options.cpp)
target_compile_definitions(tsrun_experiment PRIVATE TSRUN_VERSION="${PROJECT_VERSION}")
