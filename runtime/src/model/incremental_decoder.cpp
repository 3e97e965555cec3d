#include "model/incremental_decoder.h"

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/model/finite.h"

#include <ATen/ops/tensor.h>

#include <algorithm>
#include <numeric>

namespace tsrun::model {
namespace {

int64_t longest_of(const Family& family, const std::vector<std::vector<int64_t>>& prompts) {
  if (family.model_kind() == ModelKind::encoder_decoder) return 1;  // the start token
  size_t most = 0;
  for (const auto& prompt : prompts) most = std::max(most, prompt.size());
  return static_cast<int64_t>(most);
}

at::Tensor integers(const std::vector<int64_t>& values, at::Device device) { return at::tensor(values, at::kLong).to(device); }

/// 0, 1, …, rows.
std::vector<int64_t> one_each(int64_t rows) {
  std::vector<int64_t> offsets(static_cast<size_t>(rows) + 1);
  std::iota(offsets.begin(), offsets.end(), 0);
  return offsets;
}

}  // namespace

IncrementalDecoder::IncrementalDecoder(const Family& family, const Weights& weights, const std::vector<std::vector<int64_t>>& prompts,
                                       int64_t new_tokens, const GenerateOptions& options, at::Device device)
    : family_(family),
      weights_(weights),
      prompts_(prompts),
      decoder_start_(options.decoder_start.value_or(family.decoder_start())),
      forward_(options.forward),
      device_(device),
      cache_(static_cast<int64_t>(prompts.size()),
             longest_of(family, prompts) + new_tokens + (options.forward.prompt.defined() ? options.forward.prompt.size(0) : 0)) {
  forward_.training = forward_.gradient_checkpointing = false;
  forward_.cache = &cache_;
}

at::Tensor IncrementalDecoder::read(const PackedBatch& batch) const {
  check_interrupt();
  const at::Tensor scores = family_.forward(weights_, batch, forward_).logits;
  if (all_finite(scores)) return scores;
  require_finite(weights_, "generate");
  throw NotFinite(
      "generate: the scores of the next token are not finite, though every weight is; float32 may help where precision is bf16");
}

at::Tensor IncrementalDecoder::begin() {
  PackedBatch batch;
  std::vector<int64_t> ids, positions;
  batch.host_offsets = {0};
  for (const auto& prompt : prompts_) {
    ids.insert(ids.end(), prompt.begin(), prompt.end());
    for (size_t i = 0; i < prompt.size(); ++i) positions.push_back(static_cast<int64_t>(i));
    batch.host_offsets.push_back(static_cast<int64_t>(ids.size()));
  }
  batch.ids = integers(ids, device_);
  batch.positions = integers(positions, device_);
  batch.offsets = integers(batch.host_offsets, device_);
  if (family_.model_kind() == ModelKind::encoder_decoder) {
    batch.decoder_ids = integers(std::vector<int64_t>(prompts_.size(), decoder_start_), device_);
    batch.decoder_host_offsets = one_each(static_cast<int64_t>(prompts_.size()));
  }
  return read(batch);
}

at::Tensor IncrementalDecoder::next(const std::vector<int64_t>& ids) {
  PackedBatch batch;
  if (family_.model_kind() == ModelKind::encoder_decoder) {
    batch.decoder_ids = integers(ids, device_);
    batch.decoder_host_offsets = one_each(cache_.rows());
    return read(batch);
  }
  batch.ids = integers(ids, device_);
  batch.positions = integers(cache_.lengths(), device_);
  batch.host_offsets = one_each(cache_.rows());
  return read(batch);
}

}  // namespace tsrun::model
