# As in model: GCC 12 fails where -O3 takes a header that was precompiled by less (under the sanitizers).
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/adafactor_rule.cpp PROPERTIES COMPILE_OPTIONS -O3 SKIP_PRECOMPILE_HEADERS ON)
tsrun_room(train TORCH SOURCES
  reading.cpp batches.cpp effects.cpp optimizer.cpp optimizer_parts.cpp adafactor.cpp adafactor_rule.cpp clip.cpp schedule.cpp options.cpp settings.cpp step_plan.cpp loop.cpp trained_state.cpp backward.cpp step.cpp step_scope.cpp step_update.cpp finite_step.cpp step_plugins.cpp prefix_cache.cpp layer_work.cpp probe.cpp evaluate.cpp evaluate_tokens.cpp evaluate_text.cpp metrics_log.cpp run_state.cpp observers.cpp geometry_recorder.cpp vocabulary.cpp session.cpp reach_report.cpp train.cpp
  masking.cpp span_corruption.cpp pretrain_batches.cpp pretrain_options.cpp pretrain.cpp builtin_model.cpp
  bootstrap.cpp row_outcomes.cpp member_state.cpp joint_tasks.cpp streams.cpp carried_state.cpp
  few_unknowns_parts.cpp lbfgs.cpp p_bfgs.cpp levenberg_marquardt.cpp cma_es.cpp spsa.cpp batch_loss.cpp solver.cpp few_unknowns_options.cpp)
