#include "model/attention.h"

#include "model/attention_kernel.h"
#include "model/composition.h"
#include "model/dropout_factors.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace model {
namespace {

/// Contiguous tensors that a call reads.
struct Inputs {
  at::Tensor query, key, value, bias;
};

/// Arguments of backward beside tensors.
struct AttentionCall : torch::CustomClassHolder {
  AttentionCall(std::shared_ptr<const AttentionRows> r, const AttentionOptions& o, int64_t width, int64_t key_width)
      : rows(std::move(r)),
        options(o),
        mask(dropout_mask(o.dropout, o.key)),
        size(width / o.heads),
        stride(width),
        key_stride(key_width),
        group(width / key_width),
        scale(o.scale > 0 ? o.scale : 1 / std::sqrt(static_cast<double>(size))) {
    options.distance_bias = at::Tensor();
  }

  /// A unit is a row and a head; units of one key head are handled together, because their gradients add up.
  struct Place {
    int64_t row = 0, head = 0;
  };
  int64_t bundles() const { return rows->rows() * (options.heads / group); }
  /// Bundles are numbered so that equal shares of them are equal shares of work: all rows of one key head, then of the next.
  Place place(int64_t bundle, int64_t member) const { return {bundle % rows->rows(), bundle / rows->rows() * group + member}; }
  int64_t query_at(Place at) const { return rows->query_offsets[at.row] * stride + at.head * size; }
  int64_t key_at(Place at) const { return rows->key_offsets[at.row] * key_stride + at.head / group * size; }
  int64_t log_at(Place at) const { return at.head * rows->query_offsets.back() + rows->query_offsets[at.row]; }
  int64_t bias_at(Place at) const { return at.head * distances; }

  /// Units a thread needs before a second one pays.
  int64_t grain() const {
    constexpr int64_t worthwhile = 1 << 18;  // multiplications
    const int64_t work = rows->query_offsets.back() * (rows->key_offsets.back() / std::max<int64_t>(1, rows->rows())) * size * group;
    return std::max<int64_t>(1, worthwhile * rows->rows() / std::max<int64_t>(1, work));
  }

  AttentionUnit unit(Place at, const Inputs& in) const {
    AttentionUnit unit;
    unit.queries = rows->queries(at.row);
    unit.keys = rows->keys(at.row);
    unit.size = size;
    unit.stride = stride;
    unit.key_stride = key_stride;
    unit.query_positions = rows->query_positions.empty() ? nullptr : rows->query_positions.data() + rows->query_offsets[at.row];
    unit.causal_shift = options.causal ? rows->prefix : -1;
    unit.window = options.causal ? rows->window : 0;
    unit.scale = static_cast<float>(scale);
    unit.unit = static_cast<uint32_t>(at.row * options.heads + at.head);
    unit.dropout = mask;
    unit.query = in.query.const_data_ptr<float>() + query_at(at);
    unit.key = in.key.const_data_ptr<float>() + key_at(at);
    unit.value = in.value.const_data_ptr<float>() + key_at(at);
    if (in.bias.defined()) unit.bias = in.bias.const_data_ptr<float>() + bias_at(at);
    unit.bias_shift = -rows->prefix - options.first_distance;
    return unit;
  }

  std::shared_ptr<const AttentionRows> rows;
  AttentionOptions options;
  DropoutMask mask;
  int64_t size, stride, key_stride, group;  ///< group: query heads of a key head
  double scale;
  int64_t distances = 0;  ///< columns of the bias
};

void run_forward(const AttentionCall& call, const Inputs& in, at::Tensor& out, at::Tensor& logs) {
  float *o = out.mutable_data_ptr<float>(), *l = logs.mutable_data_ptr<float>();
  parallel_for(call.bundles(), call.grain(), [&](int64_t begin, int64_t end) {
    AttentionScratch scratch;
    for (int64_t bundle = begin; bundle < end; ++bundle) {
      for (int64_t member = 0; member < call.group; ++member) {
        const auto at = call.place(bundle, member);
        attention_forward(call.unit(at, in), o + call.query_at(at), l + call.log_at(at), scratch);
      }
    }
  });
}

/// Gradients of query, key, value and bias; the last undefined unless `bias_wanted`.
std::vector<at::Tensor> run_backward(const AttentionCall& call, const Inputs& in, const at::Tensor& logs, const at::Tensor& grad,
                                     bool bias_wanted) {
  const bool gaps = !call.rows->key_counts.empty();
  const auto for_keys = [&](const at::Tensor& x) { return gaps ? at::zeros_like(x) : at::empty_like(x); };
  std::vector<at::Tensor> grads = {at::empty_like(in.query), for_keys(in.key), for_keys(in.value), {}};
  at::Tensor biases;  // one a row, added up in a fixed order afterwards
  if (bias_wanted) biases = at::zeros({call.rows->rows(), call.options.heads, call.distances}, in.query.options());
  const float *g = grad.const_data_ptr<float>(), *l = logs.const_data_ptr<float>();
  parallel_for(call.bundles(), call.grain(), [&](int64_t begin, int64_t end) {
    AttentionScratch scratch;
    for (int64_t bundle = begin; bundle < end; ++bundle) {
      for (int64_t member = 0; member < call.group; ++member) {
        const auto at = call.place(bundle, member);
        AttentionGradients out;
        out.query = grads[0].mutable_data_ptr<float>() + call.query_at(at);
        out.key = grads[1].mutable_data_ptr<float>() + call.key_at(at);
        out.value = grads[2].mutable_data_ptr<float>() + call.key_at(at);
        if (bias_wanted) out.bias = biases.mutable_data_ptr<float>() + at.row * call.options.heads * call.distances + call.bias_at(at);
        out.add_to_keys = member > 0;
        attention_backward(call.unit(at, in), g + call.query_at(at), l + call.log_at(at), out, scratch);
      }
    }
  });
  if (bias_wanted) grads[3] = biases.sum(0);
  return grads;
}

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value, const std::optional<at::Tensor>& distance_bias,
                            std::shared_ptr<const AttentionRows> rows, const AttentionOptions& options) {
    const at::Tensor bias = distance_bias.value_or(at::Tensor());
    const auto call = c10::make_intrusive<AttentionCall>(std::move(rows), options, query.size(1), key.size(1));
    if (bias.defined()) call->distances = bias.size(1);
    const Inputs in = contiguous({query, key, value, bias});
    at::Tensor out = at::empty_like(in.query), logs = at::empty({options.heads, query.size(0)}, query.options());
    run_forward(*call, in, out, logs);
    context->save_for_backward({query, key, value, bias, logs});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto holder = context->saved_data["call"].toCapsule();
    const auto& call = static_cast<const AttentionCall&>(*holder);
    const Inputs in = {saved[0], saved[1], saved[2], saved[3]};
    if (at::GradMode::is_enabled()) return by_composition(call, in, grads[0]);
    std::vector<at::Tensor> found =
        run_backward(call, contiguous(in), saved[4], grads[0].contiguous(), in.bias.defined() && context->needs_input_grad(3));
    return {found[0], found[1], found[2], found[3], {}, {}};
  }

 private:
  static Inputs contiguous(const Inputs& in) {
    return {in.query.contiguous(), in.key.contiguous(), in.value.contiguous(), in.bias.defined() ? in.bias.contiguous() : in.bias};
  }

  static torch::autograd::variable_list by_composition(const AttentionCall& call, const Inputs& in, const at::Tensor& grad) {
    AttentionOptions options = call.options;
    options.distance_bias = in.bias;
    std::vector<at::Tensor> inputs = {in.query, in.key, in.value};
    if (in.bias.defined()) inputs.push_back(in.bias);
    auto found =
        differentiable_gradients(inputs, grad, [&] { return attend_by_composition(in.query, in.key, in.value, *call.rows, options); });
    found.resize(4);
    return {found[0], found[1], found[2], found[3], {}, {}};
  }
};

at::Tensor attend_without_gradient(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                   std::shared_ptr<const AttentionRows> rows, const AttentionOptions& options) {
  AttentionCall call(std::move(rows), options, query.size(1), key.size(1));
  const at::Tensor bias = options.distance_bias.defined() ? options.distance_bias.contiguous() : at::Tensor();
  if (bias.defined()) call.distances = bias.size(1);
  const Inputs in{query.contiguous(), key.contiguous(), value.contiguous(), bias};
  at::Tensor out = at::empty_like(in.query), logs = at::empty({options.heads, query.size(0)}, query.options());
  run_forward(call, in, out, logs);
  return out;
}

void check_shapes(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const AttentionRows& rows,
                  const AttentionOptions& options) {
  const int64_t heads = options.heads, key_heads = options.key_heads;
  const bool flat = query.dim() == 2 && key.dim() == 2 && key.sizes() == value.sizes();
  if (!flat || heads < 1 || query.size(1) % heads != 0 || heads % key_heads != 0 || key.size(1) != query.size(1) / heads * key_heads)
    internal_error("attention: query must be [tokens, heads * size], key and value [tokens, key heads * size]");
  if (rows.query_offsets.size() != rows.key_offsets.size() || rows.query_offsets.back() != query.size(0) ||
      rows.key_offsets.back() != key.size(0)) {
    internal_error("attention: {} queries and {} keys, but the offsets end at {} and {}", query.size(0), key.size(0),
                   rows.query_offsets.back(), rows.key_offsets.back());
  }
}

/// Every distance between a key and a query has a column.
void check_bias(const AttentionRows& rows, const AttentionOptions& options) {
  if (!options.distance_bias.defined()) return;
  int64_t least = 0, most = 0;
  for (int64_t row = 0; row < rows.rows(); ++row) {
    for (int64_t i = 0; i < rows.queries(row); ++i) {
      least = std::min(least, -rows.prefix - rows.position(row, i));
      most = std::max(most, rows.keys(row) - 1 - rows.prefix - rows.position(row, i));
    }
  }
  const int64_t columns = options.distance_bias.size(1);
  if (options.distance_bias.size(0) != options.heads || least < options.first_distance || most >= options.first_distance + columns)
    internal_error("attention: a bias for the distances {} to {}, expected {} to {}", options.first_distance,
                   options.first_distance + columns - 1, least, most);
}

}  // namespace

at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, std::shared_ptr<const AttentionRows> rows,
                  const AttentionOptions& given) {
  AttentionOptions options = given;
  if (options.key_heads == 0) options.key_heads = options.heads;
  check_shapes(query, key, value, *rows, options);
  check_bias(*rows, options);
  if (!runs_on_kernel({query, key, value})) return attend_by_composition(query, key, value, *rows, options);
  if (!learns({query, key, value, options.distance_bias})) return attend_without_gradient(query, key, value, std::move(rows), options);
  const auto bias = options.distance_bias.defined() ? std::optional(options.distance_bias) : std::nullopt;
  return AttentionFunction::apply(query, key, value, bias, std::move(rows), options);
}

}  // namespace model

at::Tensor packed_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const std::vector<int64_t>& offsets,
                            const AttentionOptions& options, const std::optional<at::Tensor>& prefix_key,
                            const std::optional<at::Tensor>& prefix_value) {
  using namespace model;
  if (prefix_key.has_value() != prefix_value.has_value()) internal_error("attention: a prefix needs both keys and values");
  auto rows = std::make_shared<AttentionRows>();
  rows->query_offsets = rows->key_offsets = offsets;
  if (!prefix_key) return attend(query, key, value, rows, options);
  rows->prefix = prefix_key->size(0);
  rows->key_offsets = offsets_with_prefix(offsets, rows->prefix);
  return attend(query, with_prefix(key, *prefix_key, offsets), with_prefix(value, *prefix_value, offsets), rows, options);
}

}  // namespace tsrun
