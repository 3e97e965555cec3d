#include "method.h"

#include "basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/unread.h"

namespace tsrun::uni_lora {

OptionTable Method::options() const {
  return {
      {.name = "dim",
       .type = OptionType::integer,
       .doc = "Trainable parameters of each group.",
       .required = true,
       .minimum = 1,
       .maximum = 100000000},
      {.name = "origin",
       .type = OptionType::choice,
       .fallback = "dropped",
       .doc = "The parameters are the map alone, whatever their initial values (the release), or their initial values plus the map.",
       .choices = {"dropped", "kept"}},
      {.name = "width",
       .type = OptionType::number,
       .fallback = 0.02,
       .doc = "Coordinates start uniformly between its negative and itself, where the origin is dropped and the training names no other "
              "initialisation: at zero both factors would be zero, and no gradient would reach them. Above 0.",
       .minimum = 0}};
}

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  at::Tensor dropped;
  if (options.text("origin") == "dropped") {
    if (!inputs.origin.defined()) user_error("uni_lora: origin = dropped needs a model");
    if (options.number("width") == 0)
      user_error("uni_lora: width is 0, from where no gradient reaches the coordinates of a delta's factors; expected a width above 0");
    dropped = inputs.origin;
  } else {
    refuse_unread(options, this->options(), {"width"}, "uni_lora", "coordinates start at zero where the origin is kept (origin)");
  }
  return std::make_unique<Basis>(inputs.parameters, options.integer("dim"), options.number("width"), inputs.key, dropped);
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  return Basis::load(folder, parameters);
}

}  // namespace tsrun::uni_lora
