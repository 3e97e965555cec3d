tsrun_room(experiment TORCH SOURCES
  export.cpp figures.cpp handles.cpp lab.cpp operations_evaluate.cpp operations_model.cpp operations_report.cpp operations_train.cpp operations_tuning.cpp operations_select.cpp step_plugins.cpp
  profile.cpp report_figure.cpp report_html.cpp report_positions.cpp report_process.cpp report_script.cpp report_style.cpp report_summary.cpp report_svg.cpp
  report_table.cpp report_text.cpp report_write.cpp run_compare.cpp run_folder.cpp store.cpp peft.cpp start.cpp joint.cpp operations_joint.cpp operations_decode.cpp
  operations_low_rank.cpp report_grid.cpp report_free_table.cpp tables.cpp report_labels.cpp report_scatter.cpp report_landscape.cpp report_resources.cpp
  export_solution.cpp peft_write.cpp peft_config.cpp peft_values.cpp modules.cpp identity.cpp model_source.cpp)
target_compile_definitions(tsrun_experiment PRIVATE TSRUN_VERSION="${PROJECT_VERSION}")
