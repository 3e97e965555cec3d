#include "method.h"

#include "basis.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

namespace tsrun::random_projection {

OptionTable Method::options() const {
  return {{.name = "dim",
           .type = OptionType::integer,
           .doc = "Directions in each group; at most its number of parameters.",
           .required = true,
           .minimum = 1,
           .maximum = 100000}};
}

std::unique_ptr<Subspace> Method::discover(const SubspaceInputs& inputs, const Options& options) const {
  return std::make_unique<Basis>(inputs.parameters, options.integer("dim"), inputs.key);
}

std::unique_ptr<Subspace> Method::load(const std::filesystem::path& folder, const ParameterSet& parameters) const {
  const std::string path = (folder / index_name).string();
  const nlohmann::json index = read_json(path);
  try {
    if (index.at("layout") != parameters.layout.digest()) data_error("{}: the basis belongs to another parameter set", path);
    const Key key = Key::from_words(index.at("key").get<std::array<uint32_t, 2>>());
    const auto dim = index.at("dim").get<int64_t>();
    if (dim < 1) data_error("{}: dim is {}, expected 1 or more", path, dim);
    auto basis = std::make_unique<Basis>(parameters, dim, key);
    if (index.at("digest") != basis->digest())
      data_error(
          "{}: the key draws other numbers here (digest {}) than where the basis was made ({}): the basis cannot be used on this machine",
          path, basis->digest(), index["digest"].dump());
    return basis;
  } catch (const nlohmann::json::exception& e) {
    data_error("{}: not a random projection: {}", path, e.what());
  }
}

}  // namespace tsrun::random_projection
