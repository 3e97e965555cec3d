#pragma once

#include "tsrun/train/joint_tasks.h"
#include "tsrun/tune/flat_buffer.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tsrun::training {

/// Equal tensors of one name, held once: the frozen models of many tasks differ in their heads alone.
class SharedTensors {
 public:
  explicit SharedTensors(at::Device device) : device_(device) {}
  at::Tensor share(const std::string& name, const at::Tensor& value);

 private:
  at::Device device_;
  std::map<std::string, std::vector<std::pair<at::Tensor, at::Tensor>>> tensors_;  ///< as given, and on the device
};

/// A task's model under one member: the member's weights are leaves, everything else is constant.
struct FrozenModel {
  std::shared_ptr<const Family> family;
  Weights weights;
};

/// The models of one member of a joint space, one a task, and the member's weights under them.
struct MemberState {
  MemberState(const MemberModels& given, at::Device device, SharedTensors& shared);
  void push();  ///< weights of the host to the device
  void pull();  ///< adds the device's gradient to the host's, and clears it

  FlatBuffer buffer;                 ///< on the device
  at::Tensor weights, gradient;      ///< on the host: the buffer's own on a CPU
  std::vector<FrozenModel> by_task;  ///< all with the same leaves
};

}  // namespace tsrun::training
