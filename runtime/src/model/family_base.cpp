#include "model/family_base.h"

#include "tsrun/base/error.h"

namespace tsrun::model {

void check_head(const HeadSpec& head, const std::string& where) {
  const bool classes = head.kind == HeadKind::classification || head.kind == HeadKind::token_classification;
  const bool right = classes ? head.outputs >= 1 : head.kind != HeadKind::regression || head.outputs == 1;
  if (!right) internal_error("{}: a {} head with {} outputs", where, name_of(head.kind), head.outputs);
}

}  // namespace tsrun::model
