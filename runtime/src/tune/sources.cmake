tsrun_room(tune TORCH SOURCES parameter_set.cpp parameter_selection.cpp trajectory.cpp subspace.cpp stored_basis.cpp key_file.cpp flat_loss.cpp fastfood_projection.cpp mask.cpp outliers.cpp mask_controls.cpp flat_buffer.cpp
  binding.cpp chosen_entries.cpp binding_plan.cpp binding_describe.cpp binding_scope.cpp scope.cpp step_events.cpp entry_masks.cpp mask_record.cpp
  mixed_weight.cpp row_term.cpp word_statistics.cpp hidden_place.cpp reach.cpp patterns.cpp module_rules.cpp modules_of.cpp name_rule.cpp numbers_by_pattern.cpp python_expression.cpp python_syntax.cpp
  together.cpp saved_modules.cpp trained_tokens.cpp adapted_family.cpp parameter_subset.cpp bottleneck.cpp merge.cpp peft.cpp lycoris.cpp weight_update.cpp weight_update_options.cpp weight_update_peft.cpp rounded_basis.cpp)
