#include "tsrun/tune/key_file.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

namespace tsrun {
namespace {

constexpr const char* key_name = "key.json";

}  // namespace

void save_key(const std::filesystem::path& folder, const ParameterSet& parameters, Key key, const nlohmann::json& choices,
              const std::string& digest) {
  nlohmann::json index = choices;
  index.update({{"key", key.words()}, {"layout", parameters.layout.digest()}, {"digest", digest}});
  write_durable(folder / key_name, index.dump(1) + "\n");
}

std::unique_ptr<Subspace> load_key(const std::filesystem::path& folder, const ParameterSet& parameters,
                                   const std::function<DrawnSubspace(Key key, const nlohmann::json& choices)>& draw) {
  const std::string path = (folder / key_name).string();
  const nlohmann::json index = read_json(path);
  try {
    if (index.at("layout") != parameters.layout.digest()) data_error("{}: the basis belongs to another parameter set", path);
    DrawnSubspace drawn = draw(Key::from_words(index.at("key").get<std::array<uint32_t, 2>>()), index);
    if (index.at("digest") != drawn.digest)
      data_error(
          "{}: the key draws other numbers here (digest {}) than where the basis was made ({}): the basis cannot be used on this machine",
          path, drawn.digest, index["digest"].dump());
    return std::move(drawn.subspace);
  } catch (const nlohmann::json::exception& e) {
    data_error("{}: not a basis that a key draws: {}", path, e.what());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::user) throw;
    data_error("{}: {}", path, error.what());
  }
}

}  // namespace tsrun
