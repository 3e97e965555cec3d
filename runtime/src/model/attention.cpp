#include "model/attention.h"

#include "model/attention_kernel.h"
#include "model/composition.h"
#include "model/dropout_law.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

namespace tsrun {
namespace {

/// What backward needs beside tensors.
struct AttentionCall : torch::CustomClassHolder {
  AttentionCall(std::shared_ptr<const AttentionRows> r, const AttentionOptions& o, int64_t width)
      : rows(std::move(r)), options(o), law(dropout_law(o.dropout, o.key)), size(width / o.heads), stride(width) {}

  int64_t units() const { return rows->rows() * options.heads; }
  /// Units are numbered so that equal shares of them are equal shares of work: all rows of one head, then of the next.
  int64_t row(int64_t unit) const { return unit % rows->rows(); }
  int64_t head(int64_t unit) const { return unit / rows->rows(); }
  int64_t first_query(int64_t unit) const { return rows->query_offsets[row(unit)]; }
  int64_t query_at(int64_t unit) const { return first_query(unit) * stride + head(unit) * size; }
  int64_t key_at(int64_t unit) const { return rows->key_offsets[row(unit)] * stride + head(unit) * size; }
  int64_t log_at(int64_t unit) const { return head(unit) * rows->query_offsets.back() + first_query(unit); }

  /// Units a thread must have before a second one pays.
  int64_t grain() const {
    constexpr int64_t worthwhile = 1 << 18;  // multiplications
    const int64_t work = rows->query_offsets.back() * (rows->key_offsets.back() / std::max<int64_t>(1, rows->rows())) * size;
    return std::max<int64_t>(1, worthwhile * rows->rows() / std::max<int64_t>(1, work));
  }

  AttentionUnit unit(int64_t number, const float* query, const float* key, const float* value) const {
    const int64_t r = row(number);
    AttentionUnit unit;
    unit.queries = rows->queries(r);
    unit.keys = rows->keys(r);
    unit.size = size;
    unit.stride = stride;
    unit.query_positions = rows->query_positions.empty() ? nullptr : rows->query_positions.data() + first_query(number);
    unit.causal_shift = options.causal ? rows->prefix : -1;
    unit.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(size)));
    unit.unit = static_cast<uint32_t>(r * options.heads + head(number));
    unit.dropout = law;
    unit.query = query + query_at(number);
    unit.key = key + key_at(number);
    unit.value = value + key_at(number);
    return unit;
  }

  std::shared_ptr<const AttentionRows> rows;
  AttentionOptions options;
  DropoutLaw law;
  int64_t size, stride;
};

void run_forward(const AttentionCall& call, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, at::Tensor& out,
                 at::Tensor& logs) {
  const float *q = query.const_data_ptr<float>(), *k = key.const_data_ptr<float>(), *v = value.const_data_ptr<float>();
  float *o = out.mutable_data_ptr<float>(), *l = logs.mutable_data_ptr<float>();
  parallel_for(call.units(), call.grain(), [&](int64_t begin, int64_t end) {
    AttentionScratch scratch;
    for (int64_t number = begin; number < end; ++number) {
      attention_forward(call.unit(number, q, k, v), o + call.query_at(number), l + call.log_at(number), scratch);
    }
  });
}

std::vector<at::Tensor> run_backward(const AttentionCall& call, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                                     const at::Tensor& logs, const at::Tensor& grad) {
  std::vector<at::Tensor> grads = {at::empty_like(query), at::empty_like(key), at::empty_like(value)};
  const float *q = query.const_data_ptr<float>(), *k = key.const_data_ptr<float>(), *v = value.const_data_ptr<float>();
  const float *g = grad.const_data_ptr<float>(), *l = logs.const_data_ptr<float>();
  float *gq = grads[0].mutable_data_ptr<float>(), *gk = grads[1].mutable_data_ptr<float>(), *gv = grads[2].mutable_data_ptr<float>();
  parallel_for(call.units(), call.grain(), [&](int64_t begin, int64_t end) {
    AttentionScratch scratch;
    for (int64_t number = begin; number < end; ++number) {
      const int64_t from = call.query_at(number), to = call.key_at(number);
      attention_backward(call.unit(number, q, k, v), g + from, l + call.log_at(number), gq + from, gk + to, gv + to, scratch);
    }
  });
  return grads;
}

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value, std::shared_ptr<const AttentionRows> rows, const AttentionOptions& options) {
    const auto call = c10::make_intrusive<AttentionCall>(std::move(rows), options, query.size(1));
    const at::Tensor q = query.contiguous(), k = key.contiguous(), v = value.contiguous();
    at::Tensor out = at::empty_like(q), logs = at::empty({options.heads, q.size(0)}, q.options());
    run_forward(*call, q, k, v, out, logs);
    context->save_for_backward({query, key, value, logs});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto holder = context->saved_data["call"].toCapsule();
    const auto& call = static_cast<const AttentionCall&>(*holder);
    std::vector<at::Tensor> found;
    if (at::GradMode::is_enabled()) {
      found = differentiable_gradients({saved[0], saved[1], saved[2]}, grads[0],
                                       [&] { return attend_by_composition(saved[0], saved[1], saved[2], *call.rows, call.options); });
    } else {
      found = run_backward(call, saved[0].contiguous(), saved[1].contiguous(), saved[2].contiguous(), saved[3], grads[0].contiguous());
    }
    return {found[0], found[1], found[2], {}, {}};
  }
};

void check_shapes(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const AttentionRows& rows, int64_t heads) {
  const bool flat = query.dim() == 2 && key.dim() == 2 && key.sizes() == value.sizes() && query.size(1) == key.size(1);
  if (!flat || heads < 1 || query.size(1) % heads != 0) internal_error("attention: query, key and value must be [tokens, heads * size]");
  if (rows.query_offsets.size() != rows.key_offsets.size() || rows.query_offsets.back() != query.size(0) ||
      rows.key_offsets.back() != key.size(0)) {
    internal_error("attention: {} queries and {} keys, but the offsets end at {} and {}", query.size(0), key.size(0),
                   rows.query_offsets.back(), rows.key_offsets.back());
  }
}

}  // namespace

at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, std::shared_ptr<const AttentionRows> rows,
                  const AttentionOptions& options) {
  check_shapes(query, key, value, *rows, options.heads);
  if (!runs_on_kernel({query, key, value})) return attend_by_composition(query, key, value, *rows, options);
  return AttentionFunction::apply(query, key, value, std::move(rows), options);
}

at::Tensor packed_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, const std::vector<int64_t>& offsets,
                            const AttentionOptions& options, const std::optional<at::Tensor>& prefix_key,
                            const std::optional<at::Tensor>& prefix_value) {
  if (prefix_key.has_value() != prefix_value.has_value()) internal_error("attention: a prefix needs both keys and values");
  auto rows = std::make_shared<AttentionRows>();
  rows->query_offsets = rows->key_offsets = offsets;
  if (!prefix_key) return attend(query, key, value, rows, options);
  rows->prefix = prefix_key->size(0);
  rows->key_offsets = offsets_with_prefix(offsets, rows->prefix);
  return attend(query, with_prefix(key, *prefix_key, offsets), with_prefix(value, *prefix_value, offsets), rows, options);
}

}  // namespace tsrun
