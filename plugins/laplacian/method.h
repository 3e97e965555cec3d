#pragma once

#include "tsrun/tune/row_term.h"

namespace tsrun::laplacian {

/// A graph's quadratic form over words' vectors (Belkin and Niyogi's, as a regulariser; the term that "Revisiting Representation
/// Degeneration Problem in Language Modeling" adds, Zhang et al., Findings of EMNLP 2020, is of this kind, its formula unknown to us).
class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "laplacian"; }
  std::string doc() const override { return "Pulls words' vectors together along the edges of a graph, or pushes them apart."; }
  int version() const override { return 3; }
  OptionTable options() const override;
  Wants wants(const Options& options) const override;
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override;
};

}  // namespace tsrun::laplacian
