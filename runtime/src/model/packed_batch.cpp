#include "tsrun/model/model.h"

#include <ATen/ops/tensor.h>

namespace tsrun {
namespace {

at::Tensor copied(const std::vector<int64_t>& values, at::Device device) { return at::tensor(values, at::kLong).to(device); }

at::Tensor targets_of(const PackedRows& rows, const HeadSpec& head) {
  if (head.kind == HeadKind::classification) return at::tensor(rows.targets, at::kDouble).to(at::kLong);
  if (head.kind == HeadKind::regression) return at::tensor(rows.targets, at::kDouble).to(at::kFloat);
  if (!rows.token_targets.empty()) return at::tensor(rows.token_targets, at::kLong);
  return {};
}

}  // namespace

PackedBatch to_device(const PackedRows& rows, const HeadSpec& head, at::Device device) {
  PackedBatch batch;
  batch.ids = copied(rows.ids, device);
  batch.segments = copied(rows.segments, device);
  batch.positions = copied(rows.positions, device);
  batch.offsets = copied(rows.offsets, device);
  batch.host_offsets = rows.offsets;
  if (!rows.decoder_offsets.empty()) {
    batch.decoder_ids = copied(rows.decoder_ids, device);
    batch.decoder_host_offsets = rows.decoder_offsets;
  }
  if (const at::Tensor targets = targets_of(rows, head); targets.defined()) batch.targets = targets.to(device);
  batch.row_numbers = rows.row_numbers;
  return batch;
}

}  // namespace tsrun
