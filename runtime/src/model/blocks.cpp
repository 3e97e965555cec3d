#include "model/blocks.h"

#include "model/embedding_rows.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"

#include <numbers>
#include <utility>

namespace tsrun::model {
namespace {

/// @throws Error(user) unless all `ids` are below `bound`. Devices other than the CPU check indices themselves.
void check_ids(const std::vector<int64_t>& offsets, const at::Tensor& ids, int64_t bound, std::string_view what, std::string_view field) {
  if (!ids.device().is_cpu()) return;
  const at::Tensor flat = ids.contiguous();
  const int64_t* values = flat.const_data_ptr<int64_t>();
  for (size_t row = 0; row + 1 < offsets.size(); ++row) {
    for (int64_t i = offsets[row]; i < offsets[row + 1]; ++i) {
      if (values[i] >= 0 && values[i] < bound) continue;
      user_error("row {} of the batch: {} {} is outside the model's {} ({} from 0 to {})", row, what, values[i], field, what, bound - 1);
    }
  }
}

/// By transformers' names. Its several tanh forms of gelu differ by rounding alone.
constexpr std::pair<const char*, Activation> named_activations[] = {
    {"gelu", Activation::gelu},
    {"gelu_10", Activation::gelu_clipped},
    {"gelu_accurate", Activation::gelu_tanh},
    {"gelu_fast", Activation::gelu_tanh},
    {"gelu_new", Activation::gelu_tanh},
    {"gelu_python", Activation::gelu},
    {"gelu_python_tanh", Activation::gelu_tanh},
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"hardswish", Activation::hardswish},
    {"laplace", Activation::laplace},
    {"leaky_relu", Activation::leaky_relu},
    {"linear", Activation::linear},
    {"mish", Activation::mish},
    {"quick_gelu", Activation::quick_gelu},
    {"relu", Activation::relu},
    {"relu2", Activation::relu_squared},
    {"relu6", Activation::relu6},
    {"sigmoid", Activation::sigmoid},
    {"silu", Activation::silu},
    {"sqrtsoftplus", Activation::sqrt_softplus},
    {"swish", Activation::silu},
    {"tanh", Activation::tanh},
};

}  // namespace

Activation parse_activation(const std::string& name, const std::string& where, const std::string& field) {
  for (const auto& [known, activation] : named_activations) {
    if (name == known) return activation;
  }
  std::vector<std::string> known;
  for (const auto& [one, activation] : named_activations) known.emplace_back(one);
  data_error("{}: field '{}' is '{}', expected {}{}", where, field, name, join_words(known), did_you_mean(name, known));
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::gelu:
      return at::gelu(x);
    case Activation::gelu_clipped:
      return at::gelu(x).clamp(-10, 10);
    case Activation::gelu_tanh:
      return at::gelu(x, "tanh");
    case Activation::hardswish:
      return at::hardswish(x);
    case Activation::laplace:
      return 0.5 * (1 + at::erf((x - 0.707107) / (0.282095 * std::numbers::sqrt2)));
    case Activation::leaky_relu:
      return at::leaky_relu(x);
    case Activation::linear:
      return x;
    case Activation::mish:
      return at::mish(x);
    case Activation::quick_gelu:
      return x * at::sigmoid(1.702 * x);
    case Activation::relu:
      return at::relu(x);
    case Activation::relu6:
      return at::hardtanh(x, 0, 6);
    case Activation::relu_squared:
      return at::relu(x).square();
    case Activation::sigmoid:
      return at::sigmoid(x);
    case Activation::silu:
      return at::silu(x);
    case Activation::sqrt_softplus:
      return at::softplus(x).sqrt();
    case Activation::tanh:
      return at::tanh(x);
  }
  internal_error("activation {} is unknown", static_cast<int>(activation));
}

at::Tensor linear(const Weights& weights, const std::string& module, const at::Tensor& x) {
  return at::linear(x, weights.at(module + ".weight"), weights.at(module + ".bias"));
}

at::Tensor embed(const Weights& weights, const std::string& module, const at::Tensor& ids, int64_t padding) {
  return embedding_rows(weights.at(module + ".weight"), ids, padding);
}

void check_tokens(const at::Tensor& ids, const std::vector<int64_t>& offsets, int64_t vocabulary) {
  if (offsets.size() < 2 || offsets.front() != 0 || offsets.back() != ids.size(0)) {
    internal_error("packed batch: {} tokens in {} rows, but the offsets do not run from 0 to the number of tokens", ids.size(0),
                   static_cast<int64_t>(offsets.size()) - 1);
  }
  for (size_t row = 0; row + 1 < offsets.size(); ++row) {
    if (offsets[row + 1] <= offsets[row]) internal_error("packed batch: row {} has {} tokens", row, offsets[row + 1] - offsets[row]);
  }
  check_ids(offsets, ids, vocabulary, "token", "vocabulary");
}

void check_batch(const PackedBatch& batch, int64_t vocabulary, int64_t segments, int64_t positions) {
  const std::vector<int64_t>& offsets = batch.host_offsets;
  check_tokens(batch.ids, offsets, vocabulary);
  for (int64_t row = 0; row < batch.rows(); ++row) {
    const int64_t length = offsets[row + 1] - offsets[row];
    if (length <= positions) continue;
    user_error("row {} of the batch has {} tokens, but the model has only {} positions (lower max_length)", row, length, positions);
  }
  if (segments > 0) check_ids(offsets, batch.segments, segments, "segment", "segments (type_vocab_size)");
  check_ids(offsets, batch.positions, positions, "position", "positions");
}

TokenSubset token_subset(const std::vector<int64_t>& offsets, const std::vector<int64_t>& tokens, at::Device device) {
  auto rows = std::make_shared<AttentionRows>();
  rows->query_offsets.push_back(0);
  size_t next = 0;
  for (size_t row = 0; row + 1 < offsets.size(); ++row) {
    for (; next < tokens.size() && tokens[next] < offsets[row + 1]; ++next) rows->query_positions.push_back(tokens[next] - offsets[row]);
    rows->query_offsets.push_back(static_cast<int64_t>(next));
  }
  const at::Tensor host = at::tensor(tokens, at::kLong);
  return {host.to(device), host, std::move(rows)};
}

}  // namespace tsrun::model
