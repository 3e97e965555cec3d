tsrun_room(experiment TORCH SOURCES
  artifacts.cpp training_ref.cpp handed_out.cpp identity.cpp lab.cpp parameters_option.cpp task_model.cpp stored.cpp initial_weights.cpp step_plugins.cpp summaries.cpp taken_options.cpp
  export_basis.cpp export_model.cpp peft.cpp peft_config.cpp peft_values.cpp peft_write.cpp model_source.cpp update_profile.cpp results.cpp
  joint_assembly.cpp joint_request.cpp joint_solutions.cpp train_options.cpp train_request.cpp training_job.cpp training_summary.cpp decode_request.cpp
  operations_model.cpp operations_architecture.cpp operations_tokenizer.cpp operations_train.cpp operations_evaluate.cpp operations_generate.cpp operations_trajectory.cpp operations_tuning.cpp operations_mask.cpp operations_select.cpp
  label_map.cpp operations_joint.cpp operations_decode.cpp operations_low_rank.cpp crossing.cpp operations_crossing.cpp operations_quantize.cpp zoo.cpp operations_zoo.cpp operations_report.cpp report_rows.cpp report_claims.cpp
  geometry_request.cpp geometry_rows.cpp geometry_summary.cpp operations_geometry.cpp)
target_compile_definitions(tsrun_experiment PRIVATE TSRUN_VERSION="${PROJECT_VERSION}")
