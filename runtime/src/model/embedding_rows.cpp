#include "model/embedding_rows.h"

#include "tsrun/model/gradients_in_place.h"
#include "tsrun/model/takes_row_gradients.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_sparse_coo_tensor_unsafe.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/embedding_dense_backward.h>
#include <torch/csrc/autograd/custom_function.h>

namespace tsrun {
namespace model {
namespace {

/// Undefined: added to the leaf's.
at::Tensor gradient_of(const at::Tensor& table, const at::Tensor& ids, int64_t padding, at::Tensor rows) {
  const bool by_rows = AddsGradientsInPlace::now() && table.is_cpu();
  at::Tensor gradient = by_rows ? gradient_in_place(table) : at::Tensor();
  const bool sparse = by_rows && dynamic_cast<const TakesRowGradients*>(table.grad_fn().get()) != nullptr;
  if (!gradient.defined() && !sparse) return at::embedding_dense_backward(rows, ids, table.size(0), padding, false);
  if (padding >= 0) rows = rows.masked_fill(ids.eq(padding).unsqueeze(-1), 0);
  if (sparse) return at::_sparse_coo_tensor_unsafe(ids.unsqueeze(0), rows, table.sizes(), rows.options().layout(at::kSparse));
  gradient.index_add_(0, ids, rows);
  return {};
}

struct EmbeddingRows : torch::autograd::Function<EmbeddingRows> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& table, const at::Tensor& ids, int64_t padding) {
    context->save_for_backward({ids});
    context->saved_data["table"] = table;  // whose values backward does not read, so they may change until then
    context->saved_data["padding"] = padding;
    return at::embedding(table, ids, padding);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, const torch::autograd::variable_list& grads) {
    const at::Tensor ids = context->get_saved_variables()[0];
    return {gradient_of(context->saved_data["table"].toTensor(), ids, context->saved_data["padding"].toInt(), grads[0]), {}, {}};
  }
};

}  // namespace

at::Tensor embedding_rows(const at::Tensor& table, const at::Tensor& ids, int64_t padding) {
  if (!table.requires_grad() || !at::GradMode::is_enabled()) return at::embedding(table, ids, padding);
  return EmbeddingRows::apply(table, ids, padding);
}

}  // namespace model
}  // namespace tsrun
