#include "method.h"

#include "tsrun/base/operators.h"
#include "tsrun/tune/word_statistics.h"

namespace tsrun::second_moment {
namespace {

class SecondMoment final : public RowTerm {
 public:
  SecondMoment(const MethodInputs& inputs, const Options& options)
      : RowTerm(inputs, options, "second_moment"), unit_(options.text("rows") == "unit"), centred_(options.flag("centred")) {}

 private:
  at::Tensor term(const at::Tensor& rows, const Step& /*step*/) override { return distance_to_isotropy(rows, unit_, centred_); }

  bool unit_, centred_;
};

}  // namespace

at::Tensor distance_to_isotropy(const at::Tensor& rows, bool unit, bool centred) {
  at::Tensor x = unit ? unit_rows(rows) : rows;
  if (centred) x = x - x.mean(0, true);
  const at::Tensor moment = at::mm(x.t(), x) / x.size(0);
  return (moment - at::eye(x.size(1), x.options()) / x.size(1)).square().sum();
}

OptionTable Method::options() const {
  return RowTerm::options()
      .add({.name = "rows",
            .type = OptionType::choice,
            .fallback = "unit",
            .doc = "vectors divided by their norms, or as they are",
            .choices = {"unit", "raw"}})
      .add({.name = "centred", .type = OptionType::boolean, .fallback = false, .doc = "the mean vector is taken out first"});
}

std::unique_ptr<Regularizer> Method::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<SecondMoment>(inputs, options);
}

}  // namespace tsrun::second_moment
