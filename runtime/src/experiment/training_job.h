#pragma once

#include "experiment/task_model.h"
#include "experiment/train_request.h"
#include "tsrun/experiment/geometry.h"
#include "tsrun/train/train.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tsrun::experiment {

/// The job of a training from `start`: what is trained and at which rates, plugins and observers. Its files go to `work`, and what it
/// records of the geometry of embeddings to `geometry`, which must outlive it as `start` must. @throws Error(user)
TrainJob training_job(Lab& lab, const TrainRequest& request, TaskModel& start, const std::string& title, const std::filesystem::path& work,
                      std::vector<GeometryPoint>& geometry);

}  // namespace tsrun::experiment
