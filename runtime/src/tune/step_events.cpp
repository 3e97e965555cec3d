#include "tsrun/tune/step_events.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

namespace tsrun {

TrainedParameter trained_parameter(const Step& step, const ParameterInfo& info, const std::string& who) {
  for (const Block& block : step.blocks) {
    const Slice* slice = block.layout->find(info.name);
    if (slice == nullptr) continue;
    if (slice->shape != info.shape)
      user_error("{}: the gradient of '{}' has {} chosen entries alone; expected compact left out", who, info.name, slice->size);
    const auto part = [&](const at::Tensor& flat) { return flat.narrow(0, slice->offset, slice->size).view(info.shape); };
    return {part(block.value), part(block.gradient)};
  }
  return {};
}

}  // namespace tsrun
