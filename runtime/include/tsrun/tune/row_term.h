#pragma once

#include "tsrun/tune/regularizer.h"

#include <cstddef>
#include <optional>
#include <string>

namespace tsrun {

/// A regulariser of representations: γ · f(X), where the rows of X are the vectors of words, once a step, or (`hidden_layer`) the hidden
/// states of a micro-batch's tokens, whose mean over micro-batches, by their share, is the step's. A frozen matrix has no term.
class RowTerm : public Regularizer {
 public:
  /// gamma, matrix, hidden_layer, min_count, max_count.
  static OptionTable options();
  static Wants wants(const Options& options);

  at::Tensor batch_loss(Step& step, ForwardPass& pass) final;
  at::Tensor step_loss(Step& step) final;
  nlohmann::json report() const override;

 protected:
  /// @throws Error(user) "`who`: …" for output embeddings where the head scores no words, a layer there is not, or counts that leave fewer
  /// than two words
  RowTerm(const MethodInputs& inputs, const Options& options, std::string who);
  /// f(X), a scalar connected to `rows` [rows, width], of float32 or float64.
  virtual at::Tensor term(const at::Tensor& rows, const Step& step) = 0;
  /// f(X) where the method has its gradient in closed form, and `factor` ∂f/∂X was added to `gradient`, like `rows`; nothing: through
  /// `term` alone. It serves a whole matrix on the host, of which autograd would make one more and add it.
  virtual std::optional<double> add_gradient(const at::Tensor& /*rows*/, const Step& /*step*/, double /*factor*/,
                                             at::Tensor& /*gradient*/) {
    return std::nullopt;
  }

  bool of_words() const { return !matrix_.empty(); }
  const std::string& matrix() const { return matrix_; }  ///< parameter's name; empty: of hidden states
  const std::string& who() const { return who_; }
  /// Words that are rows of X: int64 [rows]; undefined: all of the matrix.
  const at::Tensor& kept() const { return kept_; }
  /// Rows of X in other values of the matrix.
  at::Tensor rows_of(const Weights& weights) const;

 private:
  at::Tensor weighted(const at::Tensor& rows, const Step& step);

  std::string who_, matrix_;
  double gamma_;
  size_t place_ = 0;  ///< among the hidden states
  at::Tensor kept_, last_;
};

}  // namespace tsrun
