#include "prefix.h"

#include "tsrun/base/operators.h"

#include <cmath>

namespace tsrun::prefix {

std::vector<DeltaTensor> Prefix::tensors() const {
  using enum DeltaTensor::Init;
  std::vector<DeltaTensor> tensors;
  for (const Stack& stack : stacks_) {
    const auto add = [&](const std::string& name, std::vector<int64_t> shape, DeltaTensor::Init init, double scale) {
      tensors.push_back({stack.name + name, std::move(shape), -1, init, scale});
    };
    if (!projection_.used()) {
      add("prompt_embeddings", {tokens_, stack.row()}, normal, deviation_);
      continue;
    }
    const auto bound = [](int64_t inputs) { return 1 / std::sqrt(static_cast<double>(inputs)); };
    add("prompt_encoder.embedding.weight", {tokens_, projection_.inputs}, normal, deviation_);
    add("prompt_encoder.transform.0.weight", {projection_.hidden, projection_.inputs}, uniform, bound(projection_.inputs));
    if (projection_.biases) add("prompt_encoder.transform.0.bias", {projection_.hidden}, uniform, bound(projection_.inputs));
    add("prompt_encoder.transform.2.weight", {stack.row(), projection_.hidden}, uniform, bound(projection_.hidden));
    if (projection_.biases) add("prompt_encoder.transform.2.bias", {stack.row()}, uniform, bound(projection_.hidden));
  }
  return tensors;
}

std::vector<DeltaMatch> Prefix::matches() const {
  std::vector<DeltaMatch> matches;
  for (const Stack& stack : stacks_) {
    const int64_t biases = projection_.biases ? projection_.hidden + stack.row() : 0;
    const int64_t network = projection_.inputs * (tokens_ + projection_.hidden) + stack.row() * projection_.hidden + biases;
    matches.push_back({"num_virtual_tokens", stack.name + "self-attention", projection_.used() ? network : tokens_ * stack.row()});
  }
  return matches;
}

at::Tensor Prefix::table(const Stack& stack, const Weights& weights) const {
  if (!projection_.used()) return weights.at(stack.name + "prompt_embeddings");
  const auto layer = [&](const char* name, const at::Tensor& x) {
    const std::string beginning = stack.name + "prompt_encoder.transform." + name;
    const at::Tensor y = at::matmul(x, weights.at(beginning + ".weight").t());
    return projection_.biases ? y + weights.at(beginning + ".bias") : y;
  };
  return layer("2", at::tanh(layer("0", weights.at(stack.name + "prompt_encoder.embedding.weight"))));
}

at::Tensor Prefix::part_of(const at::Tensor& table, const Stack& stack, int64_t layer, int64_t which) const {
  const int64_t place = 2 * layer + which;
  if (layout_ == PrefixLayout::li_liang) return table.narrow(1, place * stack.width, stack.width);
  const at::Tensor heads = table.reshape({2 * stack.layers, stack.heads, tokens_, stack.width / stack.heads}).select(0, place);
  return heads.transpose(0, 1).reshape({tokens_, stack.width});
}

void Prefix::install(const Weights& weights, ForwardOptions& forward) const {
  auto layers = std::make_shared<std::vector<KeyValuePrefix>>();
  for (const Stack& stack : stacks_) {
    layers->resize(std::max(layers->size(), static_cast<size_t>(stack.first_layer + stack.layers)));
    const at::Tensor all = table(stack, weights);
    for (int layer = 0; layer < stack.layers; ++layer)
      (*layers)[static_cast<size_t>(stack.first_layer + layer)] = std::pair(part_of(all, stack, layer, 0), part_of(all, stack, layer, 1));
  }
  forward.first_position += tokens_;  // as transformers counts tokens that are in a cache already
  forward.attention_prefix.push_back(
      [layers](int layer) { return static_cast<size_t>(layer) < layers->size() ? (*layers)[static_cast<size_t>(layer)] : std::nullopt; });
}

}  // namespace tsrun::prefix
