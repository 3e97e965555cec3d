#include "method.h"

#include "basis.h"

#include "tsrun/tune/key_file.h"

namespace tsrun::sparse {

OptionTable Method::options() const {
  return {
      {.name = "dim", .type = OptionType::integer, .doc = "Coordinates of each group.", .required = true, .minimum = 1, .maximum = 1000000},
      {.name = "density",
       .type = OptionType::number,
       .fallback = 0.0,
       .doc = "Probability that a coordinate moves a parameter; 0: one over the root of the group's size.",
       .minimum = 0,
       .maximum = 1}};
}

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  return std::make_unique<Basis>(inputs.parameters, options.integer("dim"), options.number("density"), inputs.key);
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  return load_key(folder, parameters, [&](Key key, const nlohmann::json& choices) {
    auto basis = std::make_unique<Basis>(parameters, choices.at("dim").get<int64_t>(), choices.at("density").get<double>(), key);
    const std::string digest = basis->digest();
    return DrawnSubspace{std::move(basis), digest};
  });
}

}  // namespace tsrun::sparse
