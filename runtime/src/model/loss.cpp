#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/family.h"

namespace tsrun {

at::Tensor task_loss(const HeadSpec& head, const Output& output, const PackedBatch& batch) {
  switch (head.kind) {
    case HeadKind::classification:
      return at::cross_entropy_loss(output.logits, batch.targets);
    case HeadKind::regression:
      return at::mse_loss(output.logits.squeeze(-1), batch.targets);
    case HeadKind::token_classification:
      return at::cross_entropy_loss(output.logits, batch.targets, {}, at::Reduction::Mean, no_target);
    case HeadKind::masked_lm:
    case HeadKind::causal_lm:
    case HeadKind::seq2seq_lm: {
      if (output.logits.size(0) == 0) return output.logits.sum();  // no token has a target: zero, connected to the graph
      return at::cross_entropy_loss(output.logits, batch.targets.masked_select(batch.targets != no_target));
    }
    case HeadKind::replaced_token: {
      const at::Tensor has_target = batch.targets != no_target;
      return at::binary_cross_entropy_with_logits(output.logits.squeeze(-1).masked_select(has_target),
                                                  batch.targets.masked_select(has_target).to(output.logits.scalar_type()));
    }
    case HeadKind::none:
      break;
  }
  internal_error("task_loss: a model without a head has no loss");
}

}  // namespace tsrun
