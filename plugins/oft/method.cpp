#include "method.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/unread.h"

#include <algorithm>
#include <cmath>

namespace tsrun::oft {
namespace {

const UpdateExchange exchange{
    .type = "OFT",
    .fields = {"r", "oft_block_size", "coft", "eps", "block_share", "use_cayley_neumann", "num_cayley_neumann_terms", "bias"},
    .endings = {".oft_R.weight"},
    .of_transposed = false};

/// The divisor of `width` next to `wanted`, of two equally near the smaller.
int64_t nearest_divisor(int64_t width, int64_t wanted) {
  if (wanted >= width) return width;
  int64_t above = wanted, below = wanted;
  while (width % above != 0) ++above;
  while (width % below != 0) --below;
  return wanted - below <= above - wanted ? below : above;
}

class Oft final : public WeightUpdate {
 public:
  Oft(std::vector<Target> targets, const Options& options)
      : WeightUpdate("oft", std::move(targets), Side::weight),
        blocks_(options.integer("r")),
        block_(options.integer("oft_block_size")),
        share_(options.flag("block_share")),
        eps_(options.flag("coft") ? options.number("eps") : 0),
        terms_(options.flag("use_cayley_neumann") ? options.integer("num_cayley_neumann_terms") : 0) {}

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const auto& [pattern, module] : targets()) {
      const int64_t size = block_size(module);
      tensors.push_back({module.name + ".oft_R.weight", {share_ ? 1 : module.inputs / size, size * (size - 1) / 2}, module.layer});
    }
    return tensors;
  }

  /// W Rᵀ − W, from R − I.
  UpdateFactors factors(const Target& target, const Weights& weights) const override {
    const LinearModule& module = target.module;
    const at::Tensor stored = weights.at(module.weight), w = module.transposed ? stored.t() : stored;
    const int64_t size = block_size(module), blocks = module.inputs / size;
    const at::Tensor turn = rotation_less_identity(weights.at(module.name + ".oft_R.weight"), size);  // one for all, or one a block
    const at::Tensor parts = w.reshape({module.outputs, blocks, size}).transpose(0, 1);
    return {at::matmul(parts, turn.transpose(1, 2)).transpose(0, 1).reshape({module.outputs, module.inputs})};
  }
  bool reads_weight() const override { return true; }

 private:
  int64_t block_size(const LinearModule& module) const {
    if (block_ > 0) return nearest_divisor(module.inputs, block_);
    return module.inputs / nearest_divisor(module.inputs, blocks_);
  }

  /// R − I [blocks, size, size] of the upper triangles `numbers` [blocks, size (size − 1) / 2].
  at::Tensor rotation_less_identity(const at::Tensor& numbers, int64_t size) const {
    const at::Tensor ends = at::triu_indices(size, size, 1, at::TensorOptions(numbers.device()).dtype(at::kLong));
    const at::Tensor upper =
        at::zeros({numbers.size(0), size, size}, numbers.options())
            .index_put({c10::optional<at::Tensor>(), c10::optional<at::Tensor>(ends[0]), c10::optional<at::Tensor>(ends[1])},
                       within(numbers));
    const at::Tensor q = upper - upper.transpose(1, 2);
    if (terms_ > 0) return series(q);
    return at::linalg_solve(at::eye(size, q.options()) + q, -2 * q, /*left=*/false);
  }

  /// 2Q + 2Q² + … with the last power once, as PEFT counts its terms: of 3 and more that power is terms − 1, but at least 3.
  at::Tensor series(const at::Tensor& q) const {
    at::Tensor power = q, sum = 2 * q;
    const int64_t last = terms_ < 3 ? 1 : std::max<int64_t>(3, terms_ - 1);
    for (int64_t exponent = 2; exponent <= last; ++exponent) {
      power = at::matmul(power, q);
      sum = sum + (exponent == last ? 1 : 2) * power;
    }
    return sum;
  }

  /// COFT: each block's Q is at most eps / √blocks long. The gradient is that at the shortened one, as in PEFT.
  at::Tensor within(const at::Tensor& numbers) const {
    if (eps_ == 0) return numbers;
    const double longest = eps_ / std::sqrt(static_cast<double>(numbers.size(0)));
    const at::Tensor length = numbers.detach().norm(2, {1}, /*keepdim=*/true) * std::sqrt(2.0);
    const at::Tensor shortened = numbers.detach() * (longest / length.clamp_min(longest));
    return numbers + (shortened - numbers.detach());
  }

  int64_t blocks_, block_;
  bool share_;
  double eps_;
  int64_t terms_;  ///< of the Neumann series; 0: Cayley's map itself
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = weight_update_options("Layers whose inputs are rotated", "oft_only");
  return table.include({
      {.name = "r",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "Blocks a layer; 0: by oft_block_size.",
       .minimum = 0,
       .maximum = 65536},
      {.name = "oft_block_size",
       .type = OptionType::integer,
       .fallback = 32,
       .doc = "Features a block, or the next divisor of the layer's inputs; 0: by r.",
       .minimum = 0,
       .maximum = 65536},
      {.name = "coft", .type = OptionType::boolean, .fallback = false, .doc = "Keep the rotations near the identity."},
      {.name = "eps", .type = OptionType::number, .fallback = 6e-5, .doc = "Largest length of a layer's Q; with coft alone.", .minimum = 0},
      {.name = "block_share", .type = OptionType::boolean, .fallback = false, .doc = "All blocks of a layer have one rotation."},
      {.name = "use_cayley_neumann",
       .type = OptionType::boolean,
       .fallback = true,
       .doc = "Rotations by the first terms of a series, not quite orthogonal, instead of solving for them."},
      {.name = "num_cayley_neumann_terms",
       .type = OptionType::integer,
       .fallback = 5,
       .doc = "Terms of that series, the identity included.",
       .minimum = 2,
       .maximum = 64},
  });
}

std::unique_ptr<Delta> Method::attach(const Family& family, const Options& options) const {
  const int64_t r = options.integer("r"), size = options.integer("oft_block_size");
  if ((r == 0) == (size == 0))
    user_error("oft: r is {} and oft_block_size {}; expected one of them to be 0, as their product is a layer's inputs", r, size);
  if (options.flag("coft") && options.number("eps") == 0)
    user_error("oft: coft with eps = 0 leaves nothing to train; expected eps above 0");
  if (!options.flag("coft")) refuse_unread(options, this->options(), {"eps"}, "oft", "rotations have no bound (coft)");
  if (!options.flag("use_cayley_neumann"))
    refuse_unread(options, this->options(), {"num_cayley_neumann_terms"}, "oft", "there is no series (use_cayley_neumann)");
  const std::vector<Target> targets = find_targets(family, options, "oft");
  return with_other_parameters(std::make_unique<Oft>(targets, options), family, options, targets, "oft");
}

std::optional<PeftType> Method::peft_type() const { return exchange.peft_type({}, {"module_dropout"}); }

/// PEFT names `eps` and the terms of the series also where it reads neither.
nlohmann::json Method::options_from_peft(const nlohmann::ordered_json& config) const {
  nlohmann::json options = exchange.options_from_peft(config);
  if (options.value("coft", nlohmann::json(false)) == false) options.erase("eps");
  if (options.value("use_cayley_neumann", nlohmann::json(true)) == false) options.erase("num_cayley_neumann_terms");
  return options;
}

PeftFolder Method::to_peft(const Delta& delta, const Options& options, const Model& model) const {
  return exchange.to_peft(delta, options, model);
}

}  // namespace tsrun::oft
