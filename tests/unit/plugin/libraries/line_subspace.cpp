#include "tsrun/base/error.h"
#include "tsrun/plugin/plugin.h"

#include <stdexcept>

namespace {

/// One coordinate for the whole set, along (1, 1, …); throws on demand.
class Line : public tsrun::Subspace {
 public:
  explicit Line(tsrun::ParameterSet parameters) : parameters_(std::move(parameters)) {}
  const tsrun::ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor&, at::Tensor) const override { throw std::out_of_range("expand went too far"); }
  at::Tensor project(const at::Tensor& z, const at::Tensor&) const override { return z; }
  bool claims_orthonormal() const override { return false; }
  nlohmann::json describe() const override { return {{"line", true}}; }
  void save(const std::filesystem::path&) const override {}
  int64_t bytes_shipped() const override { return 0; }

 private:
  tsrun::ParameterSet parameters_;
  std::vector<int64_t> dims_{1};
};

class LineMethod : public tsrun::SubspaceMethod {
 public:
  std::string name() const override { return "line"; }
  std::string doc() const override { return "One direction for everything."; }
  int version() const override { return 7; }
  tsrun::OptionTable options() const override {
    return {{.name = "fail",
             .type = tsrun::OptionType::choice,
             .fallback = "no",
             .doc = "How to fail.",
             .choices = {"no", "user", "standard", "odd"}}};
  }
  std::unique_ptr<tsrun::Subspace> discover(const tsrun::SubspaceInputs& inputs, const tsrun::Options& options) const override {
    const auto fail = options.text("fail");
    if (fail == "user") tsrun::user_error("dim 40 is larger than the trajectory (12 points)");
    if (fail == "standard") throw std::runtime_error("the line is bent");
    if (fail == "odd") throw 42;
    return std::make_unique<Line>(inputs.parameters);
  }
  std::unique_ptr<tsrun::Subspace> load(const std::filesystem::path&, const tsrun::ParameterSet&) const override { return nullptr; }
};

}  // namespace

TSRUN_PLUGIN(registry) { registry.add(std::make_unique<LineMethod>()); }
