#include "facts.h"

#include <ATen/ops/linalg_vector_norm.h>

#include <set>

namespace tsrun::joint_decomposition {

std::vector<const float*> first_solutions(const JointMember& member) {
  std::vector<const float*> result;
  for (const auto& solutions : member.deltas) result.push_back(solutions[0].const_data_ptr<float>());
  return result;
}

nlohmann::json member_facts(const JointInputs& inputs) {
  nlohmann::json members = nlohmann::json::array();
  std::set<int64_t> lengths;
  for (const JointMember& member : inputs.members) {
    lengths.insert(member.parameters.layout.total());
    members.push_back({{"name", member.name},
                       {"size", member.parameters.layout.total()},
                       {"tensors", member.parameters.layout.slices().size()},
                       {"layout", member.parameters.layout.digest()}});
  }
  return {{"members", members}, {"equal_sizes", lengths.size() <= 1}};
}

nlohmann::json reconstruction_errors(const JointInputs& inputs, const std::vector<std::unique_ptr<Subspace>>& decoders,
                                     const at::Tensor& codes) {
  nlohmann::json result = nlohmann::json::object();
  for (size_t m = 0; m < inputs.members.size(); ++m) {
    std::vector<double> errors;
    for (size_t t = 0; t < inputs.members[m].deltas.size(); ++t) {
      const at::Tensor& delta = inputs.members[m].deltas[t][0];
      at::Tensor error = delta.neg();
      decoders[m]->expand(codes[static_cast<int64_t>(t)][static_cast<int64_t>(m)].contiguous(), error);
      const double length = at::linalg_vector_norm(delta, 2, std::nullopt, false, at::kDouble).item<double>();
      errors.push_back(length > 0 ? at::linalg_vector_norm(error, 2, std::nullopt, false, at::kDouble).item<double>() / length : 0.0);
    }
    result[inputs.members[m].name] = errors;
  }
  return result;
}

}  // namespace tsrun::joint_decomposition
