# Kernels know no LibTorch, and pass vectors only between inlined functions, so the warning about their calling convention is void.
# GCC 12 takes a vector that is set lane by lane for one that is not set.
foreach(_kernel dropout norm attention rotary)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/${_kernel}_kernel.cpp PROPERTIES
    COMPILE_OPTIONS "-O3;-Wno-psabi;-Wno-maybe-uninitialized" SKIP_PRECOMPILE_HEADERS ON)
endforeach()

# The last line before the kernels: functions with a backward pass of their own, together because autograd's headers are not precompiled.
tsrun_room(model TORCH SOURCES
  weights.cpp finite.cpp architecture.cpp families.cpp config_reader.cpp config_fields.cpp blocks.cpp decoding_cache.cpp family_base.cpp pass_base.cpp
  encoder_config.cpp encoder_parameters.cpp encoder.cpp beams.cpp bert.cpp distilbert.cpp electra.cpp roberta.cpp rotary_config.cpp
  sliding_windows.cpp decoder_parameters.cpp decoder.cpp generate.cpp generation_config.cpp generation_fields.cpp score_rules.cpp sampling.cpp gpt2.cpp
  llama.cpp relative_places.cpp t5.cpp t5_forward.cpp t5_parameters.cpp incremental_decoder.cpp initial.cpp match_weights.cpp parts.cpp
  ties.cpp load.cpp save.cpp packed_batch.cpp tensors.cpp loss.cpp awd_lstm.cpp awd_lstm_forward.cpp recurrent_rows.cpp
  composition.cpp attention_composition.cpp gradients_in_place.cpp product.cpp embedding_rows.cpp recompute.cpp dropout.cpp rms_norm.cpp rotary.cpp add_norm.cpp attention.cpp
  dropout_kernel.cpp norm_kernel.cpp attention_kernel.cpp rotary_kernel.cpp)
