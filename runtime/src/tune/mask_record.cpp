#include "tsrun/tune/mask_record.h"

#include "tsrun/base/operators.h"
#include "tsrun/tune/entry_masks.h"

#include <algorithm>

namespace tsrun {

void MaskRecord::add(const Step& step, const Scope& scope) {
  ++masks_;
  kept_ = kept_share(scope);
  if (step.chosen == nullptr) return;
  last_changed_ = changed_share(*step.chosen, scope);
  changed_ += last_changed_;
}

nlohmann::json MaskRecord::report() const {
  const double changes = static_cast<double>(std::max<int64_t>(masks_ - 1, 1));
  return {{"masks", masks_}, {"kept_share", kept_}, {"changed_share", changed_ / changes}, {"last_changed_share", last_changed_}};
}

void MaskRecord::save(PluginState& state) const {
  state["mask_record"] = at::tensor({static_cast<double>(masks_), kept_, changed_, last_changed_}, at::kDouble);
}

void MaskRecord::restore(const PluginState& state) {
  const at::Tensor saved = state.at("mask_record");
  const double* numbers = saved.const_data_ptr<double>();
  masks_ = static_cast<int64_t>(numbers[0]);
  kept_ = numbers[1], changed_ = numbers[2], last_changed_ = numbers[3];
}

}  // namespace tsrun
