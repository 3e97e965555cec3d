#include "tsrun/tune/subspace.h"

#include "tsrun/base/error.h"

namespace tsrun {
namespace {

constexpr int subspace_format = 1;
const char* const subspace_index = "subspace.json";

Group group_from_json(const nlohmann::json& json) {
  return {json.at("name").get<std::string>(), json.at("begin").get<int64_t>(), json.at("end").get<int64_t>()};
}

}  // namespace

nlohmann::json ParameterSet::to_json() const {
  auto list = nlohmann::json::array();
  for (const Group& group : groups) list.push_back({{"name", group.name}, {"begin", group.begin}, {"end", group.end}});
  return {{"layout", layout.to_json()}, {"groups", list}};
}

ParameterSet ParameterSet::from_json(const nlohmann::json& json) {
  ParameterSet set;
  try {
    set.layout = Layout::from_json(json.at("layout"));
    for (const auto& group : json.at("groups")) set.groups.push_back(group_from_json(group));
  } catch (const nlohmann::json::exception& e) {
    data_error("parameter set: expected {{layout, groups}}: {}", e.what());
  }
  int64_t at = 0;
  for (const Group& group : set.groups) {
    if (group.begin != at || group.end < group.begin)
      data_error("parameter set: group '{}' is [{}, {}), expected it to begin at {}", group.name, group.begin, group.end, at);
    at = group.end;
  }
  if (at != set.layout.total()) data_error("parameter set: the groups cover {} of {} elements", at, set.layout.total());
  return set;
}

int64_t Subspace::dim() const { return coordinate_offsets(dims()).back(); }

std::vector<int64_t> coordinate_offsets(const std::vector<int64_t>& dims) {
  std::vector<int64_t> offsets{0};
  for (int64_t dim : dims) offsets.push_back(offsets.back() + dim);
  return offsets;
}

nlohmann::json described(const Subspace& subspace) {
  nlohmann::json description = subspace.describe();
  const auto facts = subspace.facts().groups;
  const auto& groups = subspace.parameters().groups;
  for (size_t g = 0; g < facts.size() && g < groups.size(); ++g)
    description["groups"][g].update({{"name", groups[g].name},
                                     {"dim", subspace.dims()[g]},
                                     {"singular_values", facts[g].singular_values},
                                     {"update_length", facts[g].update_length}});
  return description;
}

void save_subspace(const Subspace& subspace, const SubspaceMaker& method, const Options& options, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  subspace.save(folder);
  const nlohmann::json index = {{"format", subspace_format},
                                {"method", method.name()},
                                {"version", method.version()},
                                {"options", options.json()},
                                {"parameters", subspace.parameters().to_json()},
                                {"dims", subspace.dims()},
                                {"description", subspace.describe()}};
  write_durable(folder / subspace_index, index.dump(1) + "\n");
}

std::unique_ptr<Subspace> load_subspace(const std::filesystem::path& folder,
                                        const std::function<const SubspaceMaker&(const std::string&)>& lookup) {
  const std::string path = (folder / subspace_index).string();
  const nlohmann::json index = read_json(path);
  try {
    if (index.at("format") != subspace_format)
      data_error("{}: format {} is not the {} that this program reads", path, index["format"].dump(), subspace_format);
    const SubspaceMaker& method = lookup(index.at("method").get<std::string>());
    if (index.at("version") != method.version())
      data_error("{}: made by version {} of '{}'; this program has version {}: discover it again", path, index["version"].dump(),
                 method.name(), method.version());
    auto subspace = method.load(folder, ParameterSet::from_json(index.at("parameters")));
    if (index.at("dims") != subspace->dims()) data_error("{}: the index and the data disagree on the dimensions", path);
    return subspace;
  } catch (const nlohmann::json::exception& e) {
    data_error("{}: not a subspace: {}", path, e.what());
  }
}

}  // namespace tsrun
