#include "model/blocks.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tensor.h>

namespace tsrun {
namespace {

/// @throws Error(user) unless all `ids` are below `bound`. Devices other than the CPU check indices themselves.
void check_ids(const PackedBatch& batch, const at::Tensor& ids, int64_t bound, std::string_view what, std::string_view field) {
  if (!ids.device().is_cpu()) return;
  const at::Tensor flat = ids.contiguous();
  const int64_t* values = flat.const_data_ptr<int64_t>();
  for (int64_t row = 0; row < batch.rows(); ++row) {
    for (int64_t i = batch.host_offsets[row]; i < batch.host_offsets[row + 1]; ++i) {
      if (values[i] >= 0 && values[i] < bound) continue;
      user_error("row {} of the batch: {} {} is outside the model's {} ({} from 0 to {})", row, what, values[i], field, what, bound - 1);
    }
  }
}

}  // namespace

Activation parse_activation(const std::string& name, const std::string& where, const std::string& field) {
  if (name == "gelu" || name == "gelu_python") return Activation::gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::gelu_tanh;
  if (name == "relu") return Activation::relu;
  if (name == "silu" || name == "swish") return Activation::silu;
  const std::vector<std::string> known = {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu"};
  data_error("{}: field '{}' is '{}', expected {}{}", where, field, name, join_words(known), did_you_mean(name, known));
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::gelu:
      return at::gelu(x);
    case Activation::gelu_tanh:
      return at::gelu(x, "tanh");
    case Activation::relu:
      return at::relu(x);
    case Activation::silu:
      return at::silu(x);
  }
  internal_error("activation {} is unknown", static_cast<int>(activation));
}

at::Tensor linear(const Weights& weights, const std::string& module, const at::Tensor& x) {
  return at::linear(x, weights.at(module + ".weight"), weights.at(module + ".bias"));
}

at::Tensor embed(const Weights& weights, const std::string& module, const at::Tensor& ids) {
  return at::embedding(weights.at(module + ".weight"), ids);
}

void check_batch(const PackedBatch& batch, int64_t vocabulary, int64_t segments, int64_t positions) {
  const std::vector<int64_t>& offsets = batch.host_offsets;
  if (offsets.size() < 2 || offsets.front() != 0 || offsets.back() != batch.ids.size(0)) {
    internal_error("packed batch: {} tokens in {} rows, but the offsets do not run from 0 to the number of tokens", batch.ids.size(0),
                   batch.rows());
  }
  for (int64_t row = 0; row < batch.rows(); ++row) {
    const int64_t length = offsets[row + 1] - offsets[row];
    if (length < 1) internal_error("packed batch: row {} has {} tokens", row, length);
    if (length > positions) {
      user_error("row {} of the batch has {} tokens, but the model has only {} positions (lower max_length)", row, length, positions);
    }
  }
  check_ids(batch, batch.ids, vocabulary, "token", "vocabulary");
  if (segments > 0) check_ids(batch, batch.segments, segments, "segment", "segments (type_vocab_size)");
  check_ids(batch, batch.positions, positions, "position", "positions");
}

std::optional<std::vector<int64_t>> tokens_read(HeadKind head, const PackedBatch& batch, bool from_last) {
  if (head == HeadKind::none || head == HeadKind::replaced_token) return std::nullopt;
  if (head == HeadKind::classification || head == HeadKind::regression) {
    std::vector<int64_t> tokens;
    for (int64_t row = 0; row < batch.rows(); ++row)
      tokens.push_back(from_last ? batch.host_offsets[row + 1] - 1 : batch.host_offsets[row]);
    return tokens;
  }
  if (!batch.targets.defined()) return std::nullopt;
  const at::Tensor targets = batch.targets.cpu().contiguous();
  std::vector<int64_t> tokens;
  for (int64_t i = 0; i < targets.numel(); ++i) {
    if (targets.const_data_ptr<int64_t>()[i] != -100) tokens.push_back(i);
  }
  return tokens;
}

TokenSubset token_subset(const PackedBatch& batch, const std::vector<int64_t>& tokens) {
  auto rows = std::make_shared<AttentionRows>();
  rows->query_offsets.push_back(0);
  size_t next = 0;
  for (int64_t row = 0; row < batch.rows(); ++row) {
    for (; next < tokens.size() && tokens[next] < batch.host_offsets[row + 1]; ++next) {
      rows->query_positions.push_back(tokens[next] - batch.host_offsets[row]);
    }
    rows->query_offsets.push_back(static_cast<int64_t>(next));
  }
  const at::Tensor host = at::tensor(tokens, at::kLong);
  return {host.to(batch.ids.device()), host, std::move(rows)};
}

}  // namespace tsrun
