#pragma once

#include "tsrun/base/options.h"
#include "tsrun/data/batch.h"
#include "tsrun/data/task.h"
#include "tsrun/model/model.h"

namespace tsrun {

/// Fits tasks and models to each other. A model that writes (an encoder-decoder) is given any task that `as_text_to_text` can make text of;
/// the others take it as it is.
Task task_for(const Task& task, Reader reader);

/// The head that `task`, in the form of `task_for`, asks of a model that reads like `reader`. @throws Error(user) when such a model cannot
/// do such a task, naming what could.
HeadSpec head_for(const Task& task, Reader reader);

/// Puts the labels of a task whose head judges by classes in the order of the model's outputs, where `id2label` of its config.json names
/// them, and names the outputs by the task. Other names than LABEL_0, LABEL_1, … are warned of under `where`, unless the head is new.
void match_labels(Task& task, Model& model, bool new_head, const std::string& where);

/// max_length, blocks, and for tasks that are answered in words how answers are written or chosen: max_answer_length, answer, num_beams,
/// length_penalty, stop. Part of `train_options()` and of the options of an evaluation.
OptionTable reading_options();

EncodeOptions encode_options_for(const Family& family, const Options& reading);

/// The rows of `train` that a training draws from: `reading_options()` and `accepted_answers` (random: `EncodedSplit::alternatives`).
/// @throws Error(user) when there are none
EncodedSplit encode_training_rows(const Model& model, const Task& task, const Options& options);

}  // namespace tsrun
