#include "method.h"

#include "basis.h"

#include "tsrun/base/error.h"
#include "tsrun/tune/key_file.h"

#include <unistd.h>

#include <algorithm>

namespace tsrun::random_projection {

OptionTable Method::options() const {
  return {{.name = "dim",
           .type = OptionType::integer,
           .doc = "Directions in each group; at most its number of parameters.",
           .required = true,
           .minimum = 1,
           .maximum = 100000}};
}

namespace {

/// Directions lie in memory, and are orthonormalised there.
void check_memory(const ParameterSet& parameters, int64_t dim) {
  const auto most = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  int64_t numbers = 0;
  for (const Group& group : parameters.groups) numbers += std::min(dim, group.size()) * group.size();
  if (numbers > most / 4)
    user_error(
        "random_projection: {} directions of {} parameters take {:.1f} GiB, more than this machine's {:.1f}; expected a lower dim, or a "
        "method that stores no directions: fastfood, sparse",
        dim, parameters.layout.total(), static_cast<double>(numbers) / (1 << 28), static_cast<double>(most) / (1 << 30));
}

}  // namespace

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  check_memory(inputs.parameters, options.integer("dim"));
  return std::make_unique<Basis>(inputs.parameters, options.integer("dim"), inputs.key);
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  return load_key(folder, parameters, [&](Key key, const nlohmann::json& choices) {
    const auto dim = choices.at("dim").get<int64_t>();
    if (dim < 1) data_error("{}: dim is {}, expected 1 or more", folder.string(), dim);
    check_memory(parameters, dim);
    auto basis = std::make_unique<Basis>(parameters, dim, key);
    const std::string digest = basis->digest();
    return DrawnSubspace{std::move(basis), digest};
  });
}

}  // namespace tsrun::random_projection
