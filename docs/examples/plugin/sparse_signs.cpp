#include <ATen/ATen.h>
#include <tsrun/base/error.h>
#include <tsrun/base/files.h>
#include <tsrun/plugin/plugin.h>
// Every weight of a group moves with one coordinate of z, up or down, both drawn at random: V has one entry ±1/sqrt(n) a row, where n
// weights share the coordinate. Its columns are orthonormal by construction, and eight bytes regenerate it.
namespace {

using namespace tsrun;

class SparseSigns : public Subspace {
 public:
  SparseSigns(ParameterSet set, int64_t dim, uint64_t seed) : set_(std::move(set)), dims_(set_.groups.size(), dim), seed_(seed) {
    at::Tensor draws = at::empty({2, set_.layout.total()});
    fill_uniform(Key::root(seed), {draws.data_ptr<float>(), static_cast<size_t>(draws.numel())});
    owner_ = (draws[0] * dim).floor().clamp_max(dim - 1).to(at::kLong);
    for (size_t i = 0; i < dims_.size(); ++i) owner_.slice(0, set_.groups[i].begin, set_.groups[i].end) += static_cast<int64_t>(i) * dim;
    const at::Tensor sharing = at::bincount(owner_, {}, this->dim());
    if (sharing.min().item<int64_t>() == 0) user_error("sparse_signs: dim is {}, but a group has too few weights for it", dim);
    entry_ = at::where(draws[1] < 0.5, -1.0F, 1.0F) / sharing.index_select(0, owner_).sqrt();
  }
  const ParameterSet& parameters() const override { return set_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override { out.addcmul_(z.index_select(0, owner_), entry_); }
  at::Tensor project(const at::Tensor&, const at::Tensor& g) const override { return at::zeros({dim()}).index_add_(0, owner_, g * entry_); }
  bool claims_orthonormal() const override { return true; }
  nlohmann::json describe() const override { return {{"kind", "one random sign a weight"}, {"dims", dims_}}; }
  void save(const std::filesystem::path& folder) const override {
    write_durable(folder / "signs.json", nlohmann::json{{"layout", set_.layout.digest()}, {"seed", seed_}, {"dim", dims_[0]}}.dump());
  }
  int64_t bytes_shipped() const override { return sizeof seed_; }

 private:
  ParameterSet set_;
  std::vector<int64_t> dims_;
  uint64_t seed_;
  at::Tensor owner_, entry_;  // of every weight: its coordinate, and the entry of V
};

class SparseSignsMethod : public SubspaceMethod {
 public:
  std::string name() const override { return "sparse_signs"; }
  std::string doc() const override { return "Each weight follows one random coordinate with a random sign."; }
  int version() const override { return 1; }
  OptionTable options() const override {
    return {{.name = "dim", .type = OptionType::integer, .fallback = 32, .doc = "coordinates of each group", .minimum = 1}};
  }
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override {
    return std::make_unique<SparseSigns>(inputs.parameters, options.integer("dim"), inputs.key.words()[0]);
  }
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override {
    const nlohmann::json saved = read_json(folder / "signs.json");
    if (saved.at("layout") != parameters.layout.digest()) data_error("{}: a basis of another parameter set", folder.string());
    return std::make_unique<SparseSigns>(parameters, saved.at("dim").get<int64_t>(), saved.at("seed").get<uint64_t>());
  }
};

}  // namespace
TSRUN_PLUGIN(registry) { registry.add(std::make_unique<SparseSignsMethod>()); }
