#pragma once

#include "tsrun/base/options.h"
#include "tsrun/data/batch.h"
#include "tsrun/data/task.h"
#include "tsrun/model/model.h"

namespace tsrun {

/// The task as a kind of model takes it: encoder-decoders get it as text-to-text where `as_text_to_text` can, others as it is.
Task task_for(const Task& task, ModelKind model_kind);

/// The head for `task`, in the form of `task_for`, on this kind of model. @throws Error(user) when such a model cannot do such a task,
/// naming the kinds that can.
HeadSpec head_for(const Task& task, ModelKind model_kind);

/// Orders the labels of a classification task as the model's outputs where `id2label` of its config.json has them, and names the outputs
/// by the task's labels. Unless the head is new, warns under `where` of other names than LABEL_0, LABEL_1, …
void match_labels(Task& task, Model& model, bool new_head, const std::string& where);

/// max_length, blocks, and how answers in words are generated or chosen: max_answer_length, answer, num_beams, length_penalty, stop. Part
/// of `train_options()` and of the options of an evaluation.
OptionTable text_options();

EncodeOptions encode_options_for(const Family& family, const Options& reading);

/// The rows of `train` that a training draws from: `text_options()` and `accepted_answers` (random: `EncodedSplit::alternatives`).
/// @throws Error(user) when there are none
EncodedSplit encode_training_rows(const Model& model, const Task& task, const Options& options);

}  // namespace tsrun
