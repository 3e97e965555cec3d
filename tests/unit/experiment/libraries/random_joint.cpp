#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/model.h"
#include "tsrun/plugin/plugin.h"
#include "tsrun/tune/joint_method.h"

namespace {

using namespace tsrun;

/// θ = θ0 + V z with V from a key.
class RandomDecoder final : public Subspace {
 public:
  RandomDecoder(ParameterSet set, at::Tensor map) : set_(std::move(set)), map_(std::move(map)), dims_{map_.size(1)} {}
  static at::Tensor draw(int64_t numbers, int64_t dim, Key key) {
    at::Tensor map = at::empty({numbers, dim});
    fill_normal(key, {map.mutable_data_ptr<float>(), static_cast<size_t>(map.numel())}, 0, 0, 0.05F);
    return map;
  }
  const ParameterSet& parameters() const override { return set_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override { out.add_(map_.mv(z)); }
  at::Tensor project(const at::Tensor&, const at::Tensor& g) const override { return map_.t().mv(g); }
  bool claims_orthonormal() const override { return false; }
  nlohmann::json describe() const override { return {{"random", true}}; }
  void save(const std::filesystem::path& folder) const override {
    write_safetensors(folder / "map.safetensors", std::vector<TensorInfo>{as_info("map", map_)});
  }
  int64_t bytes_shipped() const override { return 4 * map_.numel(); }

 private:
  ParameterSet set_;
  at::Tensor map_;
  std::vector<int64_t> dims_;
};

/// Random decoders; a code is the projection of a solution's update. Asks the tasks for one loss and one score.
class RandomJoint final : public JointMethod {
 public:
  std::string name() const override { return "random_joint"; }
  std::string doc() const override { return "Random decoders, for tests."; }
  int version() const override { return 1; }
  OptionTable options() const override {
    return {{.name = "dim", .type = OptionType::integer, .fallback = 3, .doc = "Dimensions.", .minimum = 1},
            {.name = "blind", .type = OptionType::boolean, .fallback = false, .doc = "Needs no solutions."}};
  }
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& set) const override {
    const auto file = SafetensorsFile::open(folder / "map.safetensors");
    return std::make_unique<RandomDecoder>(set, as_float32(*file.find("map")).clone());
  }
  bool needs_solutions(const Options& options) const override { return !options.flag("blind"); }
  bool needs_tasks(const Options&) const override { return true; }
  JointResult decompose(const JointInputs& inputs, const Options& options) const override {
    const int64_t dim = options.integer("dim"), members = static_cast<int64_t>(inputs.members.size());
    const auto tasks = static_cast<int64_t>(inputs.tasks->names().size());
    JointResult result;
    if (!options.flag("blind")) result.codes = at::zeros({tasks, members, dim});
    for (size_t m = 0; m < inputs.members.size(); ++m) {
      const JointMember& member = inputs.members[m];
      const at::Tensor map = RandomDecoder::draw(member.parameters.layout.total(), dim, inputs.key.split(m));
      for (size_t t = 0; t < member.deltas.size(); ++t)
        result.codes[static_cast<int64_t>(t)][static_cast<int64_t>(m)].copy_(map.t().mv(member.deltas[t].at(0)));
      inputs.tasks->weights(m).copy_(member.origin);
      const auto batch = inputs.tasks->batch(0);
      result.description["losses"].push_back(inputs.tasks->loss(m, batch.at(0), inputs.key.split("dropout"), 1));
      result.description["scores"].push_back(inputs.tasks->score(m, 0));
      result.decoders.push_back(std::make_unique<RandomDecoder>(member.parameters, map));
    }
    return result;
  }
};

}  // namespace

TSRUN_PLUGIN(registry) { registry.add(std::make_unique<RandomJoint>()); }
