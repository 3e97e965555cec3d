#include "method.h"

#include "basis.h"

#include "tsrun/tune/key_file.h"

namespace tsrun::fastfood {

OptionTable Method::options() const {
  OptionTable table = {{.name = "dim",
                        .type = OptionType::integer,
                        .doc = "Coordinates of each group.",
                        .required = true,
                        .minimum = 1,
                        .maximum = FastfoodMap::most_coordinates}};
  return table.include(fastfood_options());
}

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  return std::make_unique<Basis>(inputs.parameters, options.integer("dim"), FastfoodChoices::of(options), inputs.key);
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  return load_key(folder, parameters, [&](Key key, const nlohmann::json& choices) {
    auto basis = std::make_unique<Basis>(parameters, choices.at("dim").get<int64_t>(), FastfoodChoices::from_json(choices), key);
    const std::string digest = basis->digest();
    return DrawnSubspace{std::move(basis), digest};
  });
}

}  // namespace tsrun::fastfood
