#include "method.h"

#include "basis.h"
#include "deviation.h"
#include "rule.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/parts.h"

#include <algorithm>

namespace tsrun::salf {
namespace {

void require_labels(const MethodInputs& inputs) {
  if (inputs.family.label_matrix().empty())
    user_error("salf: the {} head predicts no labels; expected one with classes or words", name_of(inputs.family.head().kind));
  if (inputs.probe == nullptr) internal_error("salf: called without a probe");
}

bool predicts_words(HeadKind kind) { return kind == HeadKind::masked_lm || kind == HeadKind::causal_lm || kind == HeadKind::seq2seq_lm; }

/// Means of what the label matrix reads of every class, less the mean of all; a class that no row has gets zeros.
at::Tensor class_means(const MethodInputs& inputs, const Options& options) {
  const at::Tensor& matrix = inputs.origin.at(inputs.family.label_matrix());
  at::Tensor sums = at::zeros(matrix.sizes(), at::kDouble), counts = at::zeros({matrix.size(0), 1}, at::kDouble);
  each_batch(inputs, options, [&](const Probe::LabelStates& found) {
    const at::Tensor read = inputs.family.read_out(inputs.origin, found.states.back(), true).to(at::kCPU, at::kDouble);
    sums.index_add_(0, found.labels.to(at::kCPU), read);
    counts.index_add_(0, found.labels.to(at::kCPU), at::ones({read.size(0), 1}, at::kDouble));
  });
  const at::Tensor mean = sums.sum(0, true) / counts.sum();
  return at::where(counts > 0, sums / counts.clamp_min(1) - mean, at::zeros_like(sums));
}

LabelBasis basis_of(const MethodInputs& inputs, const Options& options) {
  const std::string kind = options.text("basis");
  const bool words = predicts_words(inputs.family.head().kind);
  if (kind == "input_embedding" && !words) user_error("salf: classes have no input embeddings; expected another 'basis'");
  if (kind == "class_means" && words) user_error("salf: basis = \"class_means\" is of classes, and this head predicts words");
  if (kind == "input_embedding") return LabelBasis::of_rows(inputs.origin.at(word_embeddings(inputs.family)->name));
  if (kind == "class_means") return LabelBasis::of_rows(class_means(inputs, options));
  const at::Tensor& matrix = inputs.origin.at(inputs.family.label_matrix());
  return kind == "pinv" ? LabelBasis::pseudo_inverse(matrix, options.number("rcond")) : LabelBasis::of_rows(matrix);
}

/// Shares of the layers from `first` on, by their numbers. Layers below, an encoder's, count to `first`, with which they are frozen.
std::vector<double> costs_of(const Family& family, int first, size_t count) {
  std::vector<double> costs(count);
  double all = 0;
  for (const ParameterInfo& info : family.parameters()) {
    if (info.layer < 0 || info.part == Part::delta) continue;
    double numbers = 1;
    for (const int64_t size : info.shape) numbers *= static_cast<double>(size);
    costs.at(static_cast<size_t>(std::max(info.layer - first, 0))) += numbers;
    all += numbers;
  }
  for (double& cost : costs) cost /= all;
  return costs;
}

std::set<int> layers_above(const Family& family, int frozen) {
  std::set<int> layers;
  for (int layer = frozen; layer < family.layers(); ++layer) layers.insert(layer);
  return layers;
}

/// Of an encoder-decoder the whole encoder is frozen with the first layer of the decoder.
Scope scope_above(const Family& family, int frozen, bool train_head) {
  Scope scope = frozen > 0 ? scope_of_layers(family, layers_above(family, frozen)) : Scope();
  for (const ParameterInfo& info : family.parameters())
    if (!train_head && (info.part == Part::head || info.part == Part::pooler)) scope.parameters[info.name].trained = false;
  return scope;
}

/// Chooses once what it was given. A scope that restricts nothing (k = 0) is none: the training is full fine-tuning.
class Chosen final : public Selector {
 public:
  explicit Chosen(Scope scope) : scope_(std::move(scope)) {}
  std::optional<Scope> scope(Step& step) override {
    return step.number == 0 && scope_.restricts(step.family) ? std::optional(scope_) : std::nullopt;
  }

 private:
  Scope scope_;
};

}  // namespace

OptionTable Method::options() const {
  OptionTable table = {
      {.name = "basis",
       .type = OptionType::choice,
       .fallback = "pinv",
       .doc =
           "a label's vector: row of the label matrix's pseudo-inverse, of the matrix itself, its word embedding, or (for classes, whose "
           "head is new) the mean of what the head reads",
       .choices = {"pinv", "head_row", "input_embedding", "class_means"}},
      {.name = "rcond",
       .type = OptionType::number,
       .fallback = 1e-10,
       .doc = "pinv: eigenvalues of the Gram matrix up to this share of the largest are dropped",
       .minimum = 0,
       .maximum = 1},
      {.name = "train_head", .type = OptionType::boolean, .fallback = true, .doc = "pooler and head are trained; tied ones are frozen"},
  };
  return table.include(deviation_options()).include(rule_options());
}

std::optional<Choice> Method::choose(const MethodInputs& inputs, const Options& options) const {
  const at::NoGradGuard no_grad;
  require_labels(inputs);
  const LabelBasis basis = basis_of(inputs, options);
  const Deviations found = deviations_of(inputs, basis, options);
  const auto gain = gains_of(found.of_space, options.text("gain"));
  const auto cost = costs_of(inputs.family, found.first_layer, gain.size());
  const int of_stack = frozen_by(gain, cost, options), frozen = of_stack > 0 ? found.first_layer + of_stack : 0;
  return Choice{scope_above(inputs.family, frozen, options.flag("train_head")),
                {{"latent_spaces", {{"deviation", found.of_space}}},
                 {"layers", {{"gain", gain}}},
                 {"cost", cost},
                 {"first_layer", found.first_layer},
                 {"frozen_layers", frozen},
                 {"trained_layers", layers_above(inputs.family, frozen)},
                 {"step_share", step_share(cost, of_stack)},
                 {"positions", found.positions},
                 {"rank", basis.rank()},
                 {"label_matrix", inputs.family.label_matrix()}}};
}

std::unique_ptr<Selector> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Chosen>(choose(inputs, options)->scope);
}

}  // namespace tsrun::salf
