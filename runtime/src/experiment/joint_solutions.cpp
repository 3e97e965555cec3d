#include "experiment/joint_solutions.h"

#include "experiment/initial_weights.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/tune/flat_buffer.h"

#include <algorithm>

namespace tsrun::experiment {

namespace {

using nlohmann::json;

constexpr const char* kSolutionsFile = "solutions.json";

/// Fields of a member that are read again.
struct ListedMember {
  std::string name, inside, layout, start;
};

std::vector<ListedMember> read_members(const std::string& path) {
  try {
    const json list = read_json(path);
    std::vector<ListedMember> members;
    for (const json& member : list.at("members"))
      members.push_back({member.at("name"), member.at("inside"), member.at("layout"), member.at("start")});
    return members;
  } catch (const json::exception& error) {
    data_error("{}: lists no members of a joint space: {}", path, error.what());
  }
}

}  // namespace

json JointSolution::to_json() const { return {{"task", task}, {"task_key", task_key}, {"key", key}, {"seed", seed}, {"score", score}}; }

json JointMemberRecord::to_json() const {
  json record = {{"name", name},   {"inside", inside}, {"layout", layout}, {"numbers", numbers},      {"model", model},
                 {"which", which}, {"start", start},   {"bytes", bytes},   {"deltas", json::array()}, {"solutions", json::array()}};
  for (const DeltaRef& delta : deltas) record["deltas"].push_back(delta.to_json());
  for (const JointSolution& solution : solutions) record["solutions"].push_back(solution.to_json());
  return record;
}

json to_json(const std::vector<JointMemberRecord>& members) {
  json list = json::array();
  for (const JointMemberRecord& member : members) list.push_back(member.to_json());
  return list;
}

void write_joint_solutions(const std::filesystem::path& artifact, const SubspaceMaker& method, const Options& options, int64_t dim,
                           const std::vector<JointMemberRecord>& members) {
  const json list = {
      {"method", method.name()}, {"version", method.version()}, {"options", options.json()}, {"dim", dim}, {"members", to_json(members)}};
  write_durable(artifact / kSolutionsFile, list.dump(1) + "\n");
}

void check_joint_start(Lab& lab, const ArtifactRef& basis, const Subspace& subspace, const Model& model) {
  if (basis.stage != "joint") return;
  const std::string path = (lab.store().get("joint", basis.key).path / kSolutionsFile).string();
  const auto members = read_members(path);
  const Layout& layout = subspace.parameters().layout;
  const auto own = std::find_if(members.begin(), members.end(), [&](const auto& member) { return member.inside == basis.inside; });
  if (own == members.end() || own->layout != layout.digest()) data_error("{}: lists no decoder like that in '{}'", path, basis.inside);
  check_layout(layout, *model.family, "the basis");
  const std::string start = digest_of(flatten(model.weights, layout));
  if (start != own->start) {
    user_error(
        "the weights of '{}' start as {:.8} here, but this space was made around the start {:.8}: attach the delta with the same seed in "
        "both "
        "(ts.adapt(model, {{ method = …, seed = … }}))",
        own->name, start, own->start);
  }
}

void check_dropped_start(Lab& lab, const BasisRef& basis, const Subspace& subspace, const Model& model) {
  if (!basis.stage.empty()) return;
  const json summary = lab.store().get(basis.kind, basis.key).meta.at("summary");
  if (!summary.contains("start")) return;
  const Layout& layout = subspace.parameters().layout;
  check_layout(layout, *model.family, "the basis");
  const std::string made = summary.at("start"), start = digest_of(flatten(model.weights, layout));
  if (start == made) return;
  user_error(
      "the parameters of '{}' start as {:.8} here, but this basis takes the start {:.8} away: give the delta a seed of its own "
      "(ts.adapt(model, {{ method = …, seed = … }})), or keep the origin",
      basis.title(), start, made);
}

}  // namespace tsrun::experiment
