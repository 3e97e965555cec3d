#include "model/rotary.h"

#include "model/composition.h"
#include "model/rotary_kernel.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tsrun::model {
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

/// YaRN's frequencies: those that turn often within the original positions are kept, slow ones divided by `factor`, those between blended.
at::Tensor yarn_frequencies(const Rotary& rotary, const at::Tensor& powers, int64_t size) {
  const auto original = static_cast<double>(rotary.original_positions);
  const auto dimension_of = [&](double rotations) {
    return static_cast<double>(size) * std::log(original / (rotations * 2 * std::numbers::pi)) / (2 * std::log(rotary.theta));
  };
  double low = dimension_of(rotary.fast_rotations), high = dimension_of(rotary.slow_rotations);
  if (rotary.whole_dimensions) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(size - 1));
  if (low == high) high += 0.001;
  const at::Tensor scaled_share = ((at::arange(size / 2, at::kFloat) - low) / (high - low)).clamp(0, 1);
  return 1.0 / (rotary.factor * powers) * scaled_share + 1.0 / powers * (1 - scaled_share);
}

/// The base of NTK-aware scaling for a row of `length` tokens.
double dynamic_theta(const Rotary& rotary, int64_t size, int64_t length) {
  const double stretch = rotary.factor * static_cast<double>(std::max(length, rotary.positions)) / static_cast<double>(rotary.positions);
  return rotary.theta * std::pow(stretch - (rotary.factor - 1), static_cast<double>(size) / static_cast<double>(size - 2));
}

}  // namespace

at::Tensor Rotary::frequencies(int64_t size, int64_t length) const {
  const at::Tensor exponents = at::arange(0, size, 2, at::kFloat) / static_cast<double>(size);
  const bool longer = scaling == Scaling::dynamic && length > positions;
  const at::Tensor powers = at::pow(longer ? dynamic_theta(*this, size, length) : theta, exponents);
  if (scaling == Scaling::yarn) return yarn_frequencies(*this, powers, size);
  const at::Tensor plain = 1.0 / powers;
  if (scaling == Scaling::linear) return plain / factor;
  return scaling == Scaling::llama3 ? llama3_frequencies(*this, plain) : plain;
}

int64_t Rotary::reach() const {
  constexpr int64_t no_end = int64_t{1} << 30;
  if (scaling == Scaling::dynamic) return no_end;
  if (scaling != Scaling::linear && scaling != Scaling::yarn) return positions;
  const auto trained = static_cast<double>(scaling == Scaling::linear ? positions : original_positions);
  return std::max(positions, static_cast<int64_t>(std::min(trained * factor, static_cast<double>(no_end))));
}

namespace {

at::Tensor rotary_angles(const Rotary& rotary, const at::Tensor& positions, int64_t size, int64_t length) {
  return at::outer(positions.to(at::kFloat), rotary.frequencies(size, length).to(positions.device()));
}

/// Angles by row, whose length decides: the place of its last token and those before it.
at::Tensor dynamic_angles(const Rotary& rotary, const at::Tensor& positions, const std::vector<int64_t>& offsets, int64_t size) {
  const at::Tensor host = positions.cpu();
  std::vector<at::Tensor> rows;
  for (size_t row = 0; row + 1 < offsets.size(); ++row) {
    const int64_t length = host[offsets[row + 1] - 1].item<int64_t>() + 1;
    rows.push_back(rotary_angles(rotary, positions.slice(0, offsets[row], offsets[row + 1]), size, length));
  }
  return at::cat(rows);
}

}  // namespace

RotaryTable rotary_table(const Rotary& rotary, const at::Tensor& positions, const std::vector<int64_t>& offsets, int64_t size) {
  const bool by_row = rotary.scaling == Rotary::Scaling::dynamic;
  const at::Tensor angles = by_row ? dynamic_angles(rotary, positions, offsets, size) : rotary_angles(rotary, positions, size, 0);
  const at::Tensor both = at::cat({angles, angles}, 1);
  if (rotary.amplitude == 1) return {both.cos(), both.sin()};
  return {both.cos() * rotary.amplitude, both.sin() * rotary.amplitude};
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

/// Turning is orthogonal up to its amplitude: the gradient is turned back.
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

}  // namespace tsrun::model
