#include "method.h"

#include "map.h"

#include "tsrun/tune/key_file.h"

namespace tsrun::said {

OptionTable Method::options() const {
  OptionTable table = {
      {.name = "dim",
       .type = OptionType::integer,
       .doc = "Trainable parameters of each group, its scales included.",
       .required = true,
       .minimum = 2,
       .maximum = FastfoodMap::most_coordinates},
      {.name = "scales",
       .type = OptionType::choice,
       .fallback = "tensor",
       .doc = "One scale a tensor (the release) or a layer (the paper).",
       .choices = {"tensor", "layer"}},
      {.name = "budget",
       .type = OptionType::choice,
       .fallback = "paper",
       .doc = "Coordinates beside m scales: dim - m (paper), or dim - (m + 1), so that one less is trained than is counted (released).",
       .choices = {"paper", "released"}},
  };
  return table.include(fastfood_options());
}

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  return std::make_unique<Map>(inputs.parameters, Choices::of(options), inputs.key);
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  return load_key(folder, parameters, [&](Key key, const nlohmann::json& choices) {
    auto map = std::make_unique<Map>(parameters, Choices::from_json(choices), key);
    const std::string digest = map->digest();
    return DrawnSubspace{std::move(map), digest};
  });
}

}  // namespace tsrun::said
