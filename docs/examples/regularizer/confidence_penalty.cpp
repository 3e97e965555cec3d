#include <tsrun/base/error.h>
#include <tsrun/plugin/plugin.h>

#include <ATen/ATen.h>

/// Confidence penalty (Pereyra et al., 2017): predictions of low entropy cost −β H(p).
namespace {

using namespace tsrun;

class ConfidencePenalty final : public Regularizer {
 public:
  explicit ConfidencePenalty(double beta) : beta_(beta) {}
  at::Tensor batch_loss(Step&, ForwardPass& pass) override {
    const at::Tensor log_p = at::log_softmax(pass.output.logits, -1);
    return beta_ * (log_p.exp() * log_p).sum(-1).mean();
  }

 private:
  double beta_;
};

class Method final : public RegularizerMethod {
 public:
  std::string name() const override { return "confidence_penalty"; }
  std::string doc() const override { return "Penalises predictions of low entropy."; }
  int version() const override { return 1; }
  OptionTable options() const override {
    return {{.name = "beta", .type = OptionType::number, .fallback = 0.1, .doc = "weight of the negative entropy", .minimum = 0}};
  }
  Wants wants(const Options&) const override { return {.whole_vocabulary = false}; }  // it never looks at word embeddings
  std::unique_ptr<Regularizer> make(const MethodInputs& inputs, const Options& options) const override {
    if (inputs.family.head().outputs == 1) user_error("confidence_penalty: a regression has no distribution to penalise");
    return std::make_unique<ConfidencePenalty>(options.number("beta"));
  }
};

}  // namespace

TSRUN_PLUGIN(registry) { registry.add(std::make_unique<Method>()); }
