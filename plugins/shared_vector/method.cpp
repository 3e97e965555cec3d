#include "method.h"

#include "choices.h"
#include "decoder.h"
#include "training.h"

namespace tsrun::shared_vector {

OptionTable Method::options() const { return option_table(); }

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  return std::make_unique<Decoder>(inputs.parameters, Shape{.dim = options.integer("dim")}, inputs.key);
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  return Decoder::load(folder, parameters);
}

JointResult Method::decompose(const JointInputs& inputs, const Options& options) const { return Training(inputs, options).run(); }

}  // namespace tsrun::shared_vector
