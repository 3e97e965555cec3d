#include "method.h"

#include "tsrun/base/operators.h"

namespace tsrun::isotropy {
namespace {

class Isotropy final : public RowTerm {
 public:
  Isotropy(const MethodInputs& inputs, const Options& options)
      : RowTerm(inputs, options, "isotropy"), temperature_(options.number("temperature")), every_(options.integer("every")) {}

  PluginState state() const override { return directions_.defined() ? PluginState{{"directions", directions_}} : PluginState(); }
  void restore(const PluginState& state) override {
    if (const auto found = state.find("directions"); found != state.end()) directions_ = found->second;
  }

 private:
  at::Tensor term(const at::Tensor& rows, const Step& step) override {
    if (!of_words()) return anisotropy(rows, eigenvectors(rows), temperature_);
    if (!directions_.defined() || step.number % every_ == 0) directions_ = eigenvectors(rows);
    return anisotropy(rows, directions_.to(rows.device()), temperature_);
  }

  double temperature_;
  int64_t every_;
  at::Tensor directions_;
};

}  // namespace

at::Tensor eigenvectors(const at::Tensor& rows) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = rows.detach();
  return std::get<1>(at::linalg_eigh(at::mm(x.t(), x).to(at::kDouble))).to(x.scalar_type());
}

at::Tensor log_partitions(const at::Tensor& rows, const at::Tensor& directions) {
  const at::Tensor along = at::mm(rows, directions);
  return at::cat({at::logsumexp(along, {0}), at::logsumexp(along.neg(), {0})});
}

at::Tensor anisotropy(const at::Tensor& rows, const at::Tensor& directions, double temperature) {
  const at::Tensor scaled = log_partitions(rows, directions) / temperature;
  return (at::logsumexp(scaled, {0}) + at::logsumexp(scaled.neg(), {0})) * temperature;
}

OptionTable Method::options() const {
  return RowTerm::options()
      .add({.name = "temperature",
            .type = OptionType::number,
            .fallback = 0.01,
            .doc = "τ of the smooth maximum and minimum over directions; small: the extremes themselves",
            .minimum = 1e-6})
      .add({.name = "every",
            .type = OptionType::integer,
            .fallback = 1,
            .doc = "steps between new eigenvectors of a matrix; hidden states have their own in every batch",
            .minimum = 1});
}

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<Isotropy>(inputs, options);
}

}  // namespace tsrun::isotropy
