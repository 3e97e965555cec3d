#include "method.h"

#include "tsrun/base/operators.h"
#include "tsrun/linalg/unit_sum.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace tsrun::cosine {
namespace {

/// (‖s‖² − rows that are not zero) / N²
double value_of(double squared_sum, int64_t units, int64_t rows) {
  return (squared_sum - static_cast<double>(units)) / (static_cast<double>(rows) * static_cast<double>(rows));
}

template <class T>
double add_to(at::Tensor& gradient, const at::Tensor& rows, double factor) {
  const int64_t count = rows.size(0), width = rows.size(1);
  std::vector<T> inverse(static_cast<size_t>(count));
  const std::vector<double> sum = sum_of_units(rows.const_data_ptr<T>(), count, width, inverse.data());
  add_gradients_of_units(rows.const_data_ptr<T>(), count, width, inverse.data(), sum, factor, gradient.mutable_data_ptr<T>());
  const int64_t units = count - std::count(inverse.begin(), inverse.end(), T(0));
  return value_of(std::inner_product(sum.begin(), sum.end(), sum.begin(), 0.0), units, count);
}

/// By hand, since autograd would make several matrices of the vocabulary's size.
struct MeanCosine : torch::autograd::Function<MeanCosine> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& rows) {
    at::Tensor gradient = at::zeros_like(rows, at::MemoryFormat::Contiguous);
    const double value = add_mean_cosine(rows, 1, gradient);
    context->save_for_backward({gradient});
    return at::full({}, value, rows.options());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& given) {
    return {context->get_saved_variables()[0] * given[0]};
  }
};

class Cosine final : public RowTerm {
 public:
  Cosine(const MethodInputs& inputs, const Options& options) : RowTerm(inputs, options, "cosine") {}

 private:
  at::Tensor term(const at::Tensor& rows, const Step& /*step*/) override { return mean_cosine(rows); }
  std::optional<double> add_gradient(const at::Tensor& rows, const Step& /*step*/, double factor, at::Tensor& gradient) override {
    return add_mean_cosine(rows, factor, gradient);
  }
};

}  // namespace

/// ∂/∂x_i = (2 / N²) (s − x̂_i (x̂_i·s)) / ‖x_i‖, s = Σ x̂
double add_mean_cosine(const at::Tensor& rows, double factor, at::Tensor& gradient) {
  const auto count = static_cast<double>(rows.size(0));
  const double scale = factor * 2 / (count * count);
  if (rows.is_cpu() && rows.is_contiguous()) {
    if (rows.scalar_type() == at::kFloat) return add_to<float>(gradient, rows, scale);
    if (rows.scalar_type() == at::kDouble) return add_to<double>(gradient, rows, scale);
  }
  const at::Tensor norms = rows.norm(2, {1});
  const at::Tensor inverse = at::where(norms > 0, norms.reciprocal(), at::zeros_like(norms));
  const at::Tensor sum = at::mv(rows.t(), inverse), own = inverse * scale;
  gradient.sub_(rows * (at::mv(rows, sum) * inverse.square() * own).unsqueeze(1)).addr_(own, sum);
  return value_of(sum.dot(sum).item<double>(), inverse.count_nonzero().item<int64_t>(), rows.size(0));
}

at::Tensor mean_cosine(const at::Tensor& rows) { return MeanCosine::apply(rows); }

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Cosine>(inputs, options);
}

}  // namespace tsrun::cosine
