#pragma once

#include "tsrun/experiment/lab.h"
#include "tsrun/model/model.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace tsrun {

namespace experiment {
struct ModelRef;
}

/// A model's folder, and the weights of a training of it.
struct ModelSource {
  std::filesystem::path folder;
  std::optional<std::filesystem::path> weights;
  std::shared_ptr<const experiment::ModelRef> model = nullptr;  ///< of the training, with its deltas
  std::string name = {};                                        ///< as the user called it, for log lines
};

/// `model`: a folder, hf:<repo id> in the local cache, builtin:<name>, a training's folder, or train:<beginning of its key>.
ModelSource source_of(const LabSettings& settings, const std::string& model);
ModelKind model_kind_of(const ModelSource& source);
/// What to do about a head that the checkpoint lacks: answers of one drawn under the seed would be chance, hidden states need none.
enum class MissingHead { refused, drawn };
/// A model with the delta that PEFT saved in `delta` where one is given. @throws Error(data) when its head was never trained, if that is
/// refused
Model load_source(const LabSettings& settings, const ModelSource& source, const HeadSpec& head, const std::optional<std::string>& delta,
                  MissingHead missing = MissingHead::refused);

}  // namespace tsrun
