#pragma once

#include "tsrun/data/task.h"

/// The generated text of language modelling: stories in another invented language than the one of the tasks, with some two thousand words
/// whose frequencies follow Zipf's law, so that most words are rare and some of dev and test never occur in train. A story has a hero and a
/// topic, which half of its words belong to; verbs prefer objects of their own; agent and verb agree in number. So words depend on what
/// stands before them in the sentence, and in the story.
namespace tsrun::data::builtin {

/// The task of `builtin:stories`, with the splits train, dev and test.
Task stories_task();

}  // namespace tsrun::data::builtin
