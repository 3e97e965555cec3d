tsrun_room(train TORCH SOURCES
  optimizer.cpp clip.cpp schedule.cpp options.cpp plan.cpp step.cpp evaluate.cpp metrics_log.cpp resume.cpp observers.cpp vocabulary.cpp train.cpp
  masking.cpp pretrain.cpp builtin_model.cpp)
