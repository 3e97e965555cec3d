#pragma once

#include "experiment/training_ref.h"
#include "tsrun/experiment/lab.h"

#include <filesystem>

namespace tsrun::experiment {

/// Writes the model of a training into a folder. `form` "peft": its delta (and the head) as PEFT saves them.
/// "merged": a plain Hugging Face folder with the deltas merged. `merge.json` in it, and "merge" of the result, hold the largest change of
/// logits on rows of the task, with weights in float32 and rounded to bfloat16.
/// @throws Error(user) for a delta that cannot be written in this form, with the reason.
nlohmann::json export_model(Lab& lab, const TrainingRef& solution, const std::string& form, const std::filesystem::path& to);

}  // namespace tsrun::experiment
