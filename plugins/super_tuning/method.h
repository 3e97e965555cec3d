#pragma once

#include "tsrun/tune/selector.h"

namespace tsrun::super_tuning {

/// Super-Tuning (2026, arXiv 2607.09287), by magnitude: a fixed support of the entries of largest (or smallest) |w|. A file of one's own
/// scores, masks or indices takes the magnitudes' place (choice_file.h).
class Method final : public SelectorMethod {
 public:
  std::string name() const override { return "super_tuning"; }
  std::string doc() const override { return "Trains the elements of largest magnitude, or those that a file of one's own chooses."; }
  int version() const override { return 2; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::optional<Choice> choose(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::super_tuning
