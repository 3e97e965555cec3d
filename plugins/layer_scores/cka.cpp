#include "cka.h"

#include "layer_choice.h"
#include "methods.h"
#include "tsrun/base/operators.h"

namespace tsrun::layer_scores {
namespace {

/// Mean state of every row in front of `layer`, [rows, hidden].
at::Tensor pooled_states(const MethodInputs& inputs, const std::vector<std::vector<int64_t>>& batches, int layer) {
  std::vector<at::Tensor> rows;
  for (const auto& batch : batches) {
    const auto found = inputs.probe->hidden(inputs.origin, batch, layer);
    for (size_t i = 0; i + 1 < found.offsets.size(); ++i)
      rows.push_back(found.states.narrow(0, found.offsets[i], found.offsets[i + 1] - found.offsets[i]).mean(0));
  }
  return at::stack(rows).to(at::kCPU, at::kDouble);
}

}  // namespace

double linear_cka(const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor a = x - x.mean(0, true), b = y - y.mean(0, true);
  const at::Tensor kernel_a = a.mm(a.t()), kernel_b = b.mm(b.t());  // examples are fewer than features, or not many more
  const double lengths = (kernel_a.norm() * kernel_b.norm()).item<double>();
  return lengths > 0 ? (kernel_a * kernel_b).sum().item<double>() / lengths : 1;
}

OptionTable CkaLayers::options() const {
  OptionTable table = layer_options("change of the representation (1 - CKA of input and output)");
  return table.include(row_options(128, 32));
}

std::optional<Choice> CkaLayers::choose(const MethodInputs& inputs, const Options& options) const {
  const at::NoGradGuard no_grad;
  const auto batches = drawn_batches(*inputs.probe, inputs.key.split("rows"), options.integer("rows"), options.integer("rows_at_once"));
  std::vector<double> change;
  at::Tensor before = pooled_states(inputs, batches, 0);
  for (int layer = 0; layer < inputs.family.layers(); ++layer) {
    const at::Tensor behind = pooled_states(inputs, batches, layer + 1);
    change.push_back(1 - linear_cka(before, behind));
    before = behind;
  }
  return choice_of_layers(inputs.family, change, "change", options, name());
}

}  // namespace tsrun::layer_scores
