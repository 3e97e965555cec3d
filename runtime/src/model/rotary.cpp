#include "model/rotary.h"

#include "model/composition.h"
#include "model/rotary_kernel.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/suggest.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numbers>

namespace tsrun {
namespace {

/// The frequencies of Llama 3.1: low ones divided by `factor`, high ones kept, those between blended.
at::Tensor llama3_frequencies(const Rotary& rotary, const at::Tensor& plain) {
  const at::Tensor wavelengths = 2 * std::numbers::pi / plain;
  const auto original = static_cast<double>(rotary.original_positions);
  const double longest = original / rotary.low_frequency_factor, shortest = original / rotary.high_frequency_factor;
  const at::Tensor blend =
      (original / wavelengths - rotary.low_frequency_factor) / (rotary.high_frequency_factor - rotary.low_frequency_factor);
  const at::Tensor scaled = plain / rotary.factor;
  const at::Tensor between = (1 - blend) * scaled + blend * plain;
  return at::where(wavelengths > longest, scaled, at::where(wavelengths < shortest, plain, between));
}

Rotary::Scaling scaling_named(const std::string& name, const std::string& where) {
  if (name == "default") return Rotary::Scaling::none;
  if (name == "linear") return Rotary::Scaling::linear;
  if (name == "llama3") return Rotary::Scaling::llama3;
  const std::vector<std::string> known = {"default", "linear", "llama3"};
  data_error("{}: rotary scaling '{}' is not supported, expected {}{}", where, name, join_words(known), did_you_mean(name, known));
}

}  // namespace

at::Tensor Rotary::frequencies(int64_t size) const {
  const at::Tensor exponents = at::arange(0, size, 2, at::kFloat) / static_cast<double>(size);
  const at::Tensor plain = 1.0 / at::pow(theta, exponents);
  if (scaling == Scaling::linear) return plain / factor;
  return scaling == Scaling::llama3 ? llama3_frequencies(*this, plain) : plain;
}

Rotary read_rotary(const nlohmann::json& config, const std::string& where) {
  Rotary rotary;
  const ConfigReader whole(config, where);
  rotary.theta = whole.number("rope_theta", 1, 1e12, 10000.0);
  for (const char* field : {"rope_parameters", "rope_scaling"}) {
    if (!whole.has(field)) continue;
    const ConfigReader reader(config.at(field), where + ": " + field);
    rotary.theta = reader.number("rope_theta", 1, 1e12, rotary.theta);
    rotary.scaling = scaling_named(reader.has("rope_type") ? reader.text("rope_type") : reader.text("type", "default"), where);
    if (rotary.scaling == Rotary::Scaling::none) return rotary;
    rotary.factor = reader.number("factor", 1e-3, 1e6);
    if (rotary.scaling == Rotary::Scaling::linear) return rotary;
    rotary.low_frequency_factor = reader.number("low_freq_factor", 1e-3, 1e6);
    rotary.high_frequency_factor = reader.number("high_freq_factor", 1e-3, 1e6);
    rotary.original_positions = reader.integer("original_max_position_embeddings", 1, int64_t{1} << 32);
    if (rotary.high_frequency_factor <= rotary.low_frequency_factor) {
      data_error("{}: {}: high_freq_factor is {}, expected more than low_freq_factor, which is {}", where, field,
                 rotary.high_frequency_factor, rotary.low_frequency_factor);
    }
    return rotary;
  }
  return rotary;
}

RotaryTable rotary_table(const Rotary& rotary, const at::Tensor& positions, int64_t size) {
  const at::Tensor angles = at::outer(positions.to(at::kFloat), rotary.frequencies(size).to(positions.device()));
  const at::Tensor both = at::cat({angles, angles}, 1);
  return {both.cos(), both.sin()};
}

namespace {

at::Tensor turned(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines, int64_t heads, float direction) {
  const at::Tensor in = x.stride(1) == 1 ? x : x.contiguous();
  at::Tensor out = at::empty(x.sizes(), x.options());
  const int64_t size = x.size(1) / heads;
  const float *from = in.const_data_ptr<float>(), *c = cosines.const_data_ptr<float>(), *s = sines.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  constexpr int64_t grain = 1 << 14;  // numbers
  parallel_for(x.size(0), std::max<int64_t>(1, grain / x.size(1)), [&](int64_t begin, int64_t end) {
    turn(from + begin * in.stride(0), in.stride(0), c + begin * size, s + begin * size, end - begin, heads, size, direction,
         to + begin * x.size(1));
  });
  return out;
}

at::Tensor rotate_by_composition(const RotaryTable& table, const at::Tensor& x, int64_t heads) {
  const int64_t tokens = x.size(0), size = x.size(1) / heads;
  const at::Tensor y = x.view({tokens, heads, size});
  const at::Tensor other = at::cat({-y.narrow(2, size / 2, size / 2), y.narrow(2, 0, size / 2)}, 2);
  const auto table_of = [&](const at::Tensor& t) { return t.to(x.scalar_type()).unsqueeze(1); };
  return (y * table_of(table.cosines) + other * table_of(table.sines)).view({tokens, heads * size});
}

/// Turning is orthogonal: the gradient is turned back.
struct RotateFunction : torch::autograd::Function<RotateFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& cosines,
                            const at::Tensor& sines, int64_t heads, double direction) {
    context->save_for_backward({cosines, sines});
    context->saved_data["heads"] = heads;
    context->saved_data["direction"] = direction;
    return turned(x, cosines, sines, heads, static_cast<float>(direction));
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const int64_t heads = context->saved_data["heads"].toInt();
    const double back = -context->saved_data["direction"].toDouble();
    return {apply(grads[0], saved[0], saved[1], heads, back), {}, {}, {}, {}};
  }
};

}  // namespace

at::Tensor rotate(const RotaryTable& table, const at::Tensor& x, int64_t heads) {
  if (!runs_on_kernel({x, table.cosines})) return rotate_by_composition(table, x, heads);
  if (!learns({x})) return turned(x, table.cosines, table.sines, heads, 1);
  return RotateFunction::apply(x, table.cosines, table.sines, heads, 1.0);
}

}  // namespace tsrun
