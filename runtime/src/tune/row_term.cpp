#include "tsrun/tune/row_term.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/gradients_in_place.h"
#include "tsrun/tune/hidden_place.h"
#include "tsrun/tune/word_statistics.h"

namespace tsrun {
namespace {

/// Words whose counts are in bounds; undefined: all.
at::Tensor counted_words(const MethodInputs& inputs, const Options& options, int64_t words, const std::string& who) {
  const int64_t least = options.integer("min_count");
  const bool bounded = options.has("max_count");
  if (least == 0 && !bounded) return {};
  if (inputs.probe == nullptr) internal_error("{}: called without a probe", who);
  const at::Tensor counts = token_counts(*inputs.probe, words);
  at::Tensor in_bounds = counts >= least;
  if (bounded) in_bounds = in_bounds.logical_and(counts <= options.integer("max_count"));
  const at::Tensor kept = in_bounds.nonzero().flatten();
  if (kept.size(0) < 2) user_error("{}: min_count and max_count leave {} of {} words, expected two at least", who, kept.size(0), words);
  return kept;
}

}  // namespace

OptionTable RowTerm::options() {
  return {
      {.name = "gamma", .type = OptionType::number, .fallback = 1.0, .doc = "weight of the term", .minimum = 0},
      word_matrix_option(),
      {.name = "hidden_layer",
       .type = OptionType::integer,
       .doc = "hidden states of a micro-batch's tokens behind this layer (0: the embeddings) in place of a matrix",
       .minimum = 0},
      {.name = "min_count", .type = OptionType::integer, .fallback = 0, .doc = "words that the training rows hold so often", .minimum = 0},
      {.name = "max_count", .type = OptionType::integer, .doc = "and no more often", .minimum = 0},
  };
}

Wants RowTerm::wants(const Options& options) {
  const bool hidden = options.has("hidden_layer");
  return {.whole_vocabulary = !hidden, .hidden_states = hidden};
}

RowTerm::RowTerm(const MethodInputs& inputs, const Options& options, std::string who)
    : who_(std::move(who)),
      matrix_(options.has("hidden_layer") ? "" : word_matrix(inputs.family, options.text("matrix"), who_)),
      gamma_(options.number("gamma")) {
  if (of_words()) {
    kept_ = counted_words(inputs, options, inputs.origin.at(matrix_).size(0), who_);
  } else {
    place_ = hidden_place(inputs.family, options.integer("hidden_layer"), who_);
    if (options.integer("min_count") > 0 || options.has("max_count"))
      user_error("{}: min_count and max_count choose words of a matrix, and hidden_layer takes tokens; expected one of them", who_);
  }
}

at::Tensor RowTerm::rows_of(const Weights& weights) const {
  const at::Tensor& all = weights.at(matrix_);
  return kept_.defined() ? all.index_select(0, kept_.to(all.device())) : all;
}

at::Tensor RowTerm::weighted(const at::Tensor& rows, const Step& step) {
  const at::Tensor value = term(rows, step);
  last_ = value.detach();
  return value * gamma_;
}

at::Tensor RowTerm::batch_loss(Step& step, ForwardPass& pass) {
  if (of_words()) return {};
  const at::Tensor& states = pass.hidden_states.at(place_);
  return states.requires_grad() && states.size(0) > 1 ? weighted(states, step) : at::Tensor();
}

at::Tensor RowTerm::step_loss(Step& step) {
  if (!of_words()) return {};
  const at::Tensor& all = step.weights.at(matrix_);
  if (!all.requires_grad()) return {};
  if (at::Tensor gradient = gradient_in_place(all); gradient.defined() && !kept_.defined()) {
    const at::NoGradGuard no_grad;
    if (const auto value = add_gradient(all.detach(), step, gamma_, gradient)) {
      last_ = at::full({}, *value, all.options().requires_grad(false));
      return last_ * gamma_;
    }
  }
  return weighted(rows_of(step.weights), step);
}

nlohmann::json RowTerm::report() const {
  nlohmann::json report = {{"gamma", gamma_}, {"of", of_words() ? matrix_ : "hidden states"}};
  if (kept_.defined()) report["words"] = kept_.size(0);
  if (last_.defined()) {
    report["last_term"] = last_.item<double>();
  } else {
    report["left_out"] = "what it acts on is frozen";
  }
  return report;
}

}  // namespace tsrun
