#include "method.h"

#include "tsrun/base/operators.h"
#include "tsrun/tune/entry_masks.h"

#include <map>
#include <set>

namespace tsrun::bi_drop {
namespace {

constexpr double tiny = 1e-12;  // under a deviation or a weight of zero

class InBatch final : public Regularizer {
 public:
  InBatch(const MethodInputs& inputs, const Options& options)
      : extra_(options.integer("passes") - 1),
        selection_(options.text("select") == "scaling" ? Selection::scaling : Selection::perturbation),
        share_(options.number("share")) {
    for (const ParameterInfo& info : masked_parameters(inputs.family, options, "bi_drop")) chosen_.insert(info.name);
  }

  /// The trainer has the first pass. Backward passes of the others go into the same gradients, from where they are taken out.
  at::Tensor batch_loss(Step& step, ForwardPass& pass) override {
    const Key key = step.key.split("pass").split(static_cast<uint64_t>(pass.number));
    if (pass.number == 0) passes_.assign(static_cast<size_t>(extra_), {});
    for (size_t i = 0; i < passes_.size(); ++i) {
      const at::Tensor loss = pass.loss_of(pass.again(key.split(static_cast<uint64_t>(i)), {}));
      take_gradients(step, loss * pass.share, passes_[i]);
    }
    return {};
  }

  void after_backward(Step& step) override {
    const at::NoGradGuard no_grad;
    selected_ = entries_ = 0;
    for (const Block& block : step.blocks)
      for (const Slice& slice : block.layout->slices()) combine(block, slice);
    passes_.clear();
  }
  nlohmann::json report() const override { return {{"passes", extra_ + 1}, {"selected", selected_}, {"entries", entries_}}; }

 private:
  static void take_gradients(const Step& step, const at::Tensor& loss, std::map<std::string, at::Tensor>& into) {
    std::vector<at::Tensor> before;
    {
      const at::NoGradGuard no_grad;
      for (const Block& block : step.blocks) before.push_back(block.gradient.clone()), block.gradient.zero_();
    }
    loss.backward();
    const at::NoGradGuard no_grad;
    for (size_t b = 0; b < before.size(); ++b) {
      const Block& block = step.blocks[b];
      at::Tensor& sum = into[block.name];
      sum = sum.defined() ? sum + block.gradient : block.gradient.clone();
      block.gradient.copy_(before[b]);
    }
  }

  void combine(const Block& block, const Slice& slice) {
    std::vector<at::Tensor> gradients;
    const auto part = [&](const at::Tensor& flat) { return flat.narrow(0, slice.offset, slice.size); };
    gradients.push_back(part(block.gradient));
    for (const auto& pass : passes_) gradients.push_back(part(pass.at(block.name)));
    const double share = chosen_.contains(slice.name) ? share_ : 1;
    const at::Tensor mean = selected_mean(gradients, part(block.value), selection_, share);
    if (share < 1) selected_ += share_of_elements(share, slice.size), entries_ += slice.size;
    part(block.gradient).copy_(mean);
  }

  int64_t extra_;
  Selection selection_;
  double share_;
  std::set<std::string> chosen_;                           ///< parameters with a selection
  std::vector<std::map<std::string, at::Tensor>> passes_;  ///< gradients of the extra passes of a step, by block
  int64_t selected_ = 0, entries_ = 0;
};

}  // namespace

at::Tensor selected_mean(const std::vector<at::Tensor>& gradients, const at::Tensor& value, Selection selection, double share) {
  const at::Tensor passes = at::stack(gradients), mean = passes.mean(0);
  if (share >= 1) return mean;
  const at::Tensor unit = selection == Selection::scaling ? value.abs() : (passes - mean).square().mean(0).sqrt();
  return mean * largest_elements(mean.abs() / (unit + tiny), share_of_elements(share, mean.numel()));
}

OptionTable Method::options() const {
  OptionTable table = {
      {.name = "passes", .type = OptionType::integer, .fallback = 2, .doc = "dropout masks of a batch", .minimum = 2, .maximum = 64},
      {.name = "select",
       .type = OptionType::choice,
       .fallback = "perturbation",
       .doc = "what is updated: where gradients differ least between the passes, beside their mean, or where the mean is largest beside "
              "the weight",
       .choices = {"perturbation", "scaling"}},
      {.name = "share",
       .type = OptionType::number,
       .fallback = 0.5,
       .doc = "share of each tensor that is updated",
       .minimum = 0,
       .maximum = 1},
  };
  return table.include(parameter_options({"encoder", "decoder"}, "selected"));
}

Wants Method::wants(const Options& options) const { return {.whole_vocabulary = masks_embeddings(options)}; }

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<InBatch>(inputs, options);
}

}  // namespace tsrun::bi_drop
