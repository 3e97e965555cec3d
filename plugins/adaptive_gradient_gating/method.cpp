#include "method.h"

#include "gates.h"
#include "recent_words.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/data/batch.h"
#include "tsrun/tune/word_statistics.h"

#include <algorithm>

namespace tsrun::adaptive_gradient_gating {
namespace {

class Gating final : public Regularizer {
 public:
  Gating(const MethodInputs& inputs, const Options& options)
      : matrix_(output_embeddings(inputs.family)),
        alpha_(options.number("alpha")),
        memory_(options.integer("memory") > 0 ? options.integer("memory") : std::max<int64_t>(1, inputs.steps_per_epoch)),
        spared_(options.integer("spared")),
        words_(inputs.origin.at(matrix_).size(0), memory_) {}

  void before_forward(Step& step, ForwardPass& pass) override {
    const at::Tensor& weight = pass.weights.at(matrix_);
    if (!weight.requires_grad()) return;
    const at::Tensor targets = pass.batch.targets.masked_select(pass.batch.targets != no_target);
    if (!pass.extra) count(pass.number, targets, step);
    pass.options.at_linear.push_back([this, weight, all = pass.batch.targets, targets](const LinearCall& call, const at::Tensor& output) {
      if (call.module != "lm_head") return output;
      require_plain(call, weight);
      const at::Tensor& of_rows = call.output.size(0) == all.size(0) ? all : targets;
      const at::Tensor gated = gated_scores(call.output, call.input, weight, of_rows, gates_);
      return output.is_same(call.output) ? gated : gated + (output - call.output);
    });
  }

  nlohmann::json report() const override {
    nlohmann::json report = {{"alpha", alpha_}, {"memory", memory_}};
    if (gates_.rare.defined()) {
      report["rare_words"] = gates_.rare.sum().item<int64_t>();
    } else {
      report["left_out"] = "the output embeddings are frozen";
    }
    return report;
  }
  PluginState state() const override { return words_.state(); }
  void restore(const PluginState& state) override { words_.restore(state); }

 private:
  void count(int number, const at::Tensor& targets, const Step& step) {
    if (number == 0) words_.begin_step();
    words_.add(targets);
    gates_ = gates_of(words_.counts(), std::min(step.number + 1, memory_), alpha_, spared_);
  }

  /// A delta that puts another tensor in the matrix's place has a gradient of its own.
  void require_plain(const LinearCall& call, const at::Tensor& weight) {
    if (checked_ || call.output.size(0) == 0) return;
    const at::NoGradGuard no_grad;
    const at::Tensor expected = at::mv(weight, call.input[0].to(weight.scalar_type()));
    if (!at::allclose(call.output[0].to(expected.scalar_type()), expected, 0.05, 0.05 * expected.abs().max().item<double>()))
      user_error("adaptive_gradient_gating: words are not scored by '{}' alone (a delta method takes its place); expected none", matrix_);
    checked_ = true;
  }

  std::string matrix_;
  double alpha_;
  int64_t memory_, spared_;
  RecentWords words_;
  Gates gates_;
  bool checked_ = false;
};

}  // namespace

OptionTable Method::options() const {
  return {
      {.name = "alpha",
       .type = OptionType::number,
       .fallback = 0.03,
       .doc = "words that are a target less often a step, on average, are rare",
       .minimum = 0,
       .maximum = 1},
      {.name = "memory",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "steps in which targets are counted; 0: those of an epoch",
       .minimum = 0},
      {.name = "spared",
       .type = OptionType::integer,
       .fallback = 0,
       .doc = "ids below are never rare, such as a vocabulary's special ones",
       .minimum = 0},
  };
}

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  const HeadKind head = inputs.family.head().kind;
  if (head != HeadKind::causal_lm && head != HeadKind::seq2seq_lm)
    user_error("adaptive_gradient_gating: the {} head does not predict the next word; expected {} or {}", name_of(head),
               name_of(HeadKind::causal_lm), name_of(HeadKind::seq2seq_lm));
  return std::make_unique<Gating>(inputs, options);
}

}  // namespace tsrun::adaptive_gradient_gating
