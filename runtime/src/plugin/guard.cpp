#include "plugin/guard.h"

#include "plugin/guard_call.h"

namespace tsrun::plugin {
namespace {

class GuardedSubspace final : public Subspace {
 public:
  GuardedSubspace(std::unique_ptr<Subspace> inner, GuardOrigin origin) : inner_(std::move(inner)), origin_(std::move(origin)) {}
  const ParameterSet& parameters() const override {
    return origin_.run("parameters", [&]() -> const ParameterSet& { return inner_->parameters(); });
  }
  const std::vector<int64_t>& dims() const override {
    return origin_.run("dims", [&]() -> const std::vector<int64_t>& { return inner_->dims(); });
  }
  void expand(const at::Tensor& z, at::Tensor out) const override {
    origin_.run("expand", [&] { inner_->expand(z, out); });
  }
  void compose(const at::Tensor& origin, const at::Tensor& z, at::Tensor out) const override {
    origin_.run("compose", [&] { inner_->compose(origin, z, out); });
  }
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override {
    return origin_.run("project", [&] { return inner_->project(z, g); });
  }
  bool linear() const override {
    return origin_.run("linear", [&] { return inner_->linear(); });
  }
  bool claims_orthonormal() const override {
    return origin_.run("claims_orthonormal", [&] { return inner_->claims_orthonormal(); });
  }
  double initial_width() const override {
    return origin_.run("initial_width", [&] { return inner_->initial_width(); });
  }
  SubspaceFacts facts() const override {
    return origin_.run("facts", [&] { return inner_->facts(); });
  }
  nlohmann::json describe() const override {
    return origin_.run("describe", [&] { return inner_->describe(); });
  }
  void save(const std::filesystem::path& folder) const override {
    origin_.run("save", [&] { inner_->save(folder); });
  }
  int64_t bytes_shipped() const override {
    return origin_.run("bytes_shipped", [&] { return inner_->bytes_shipped(); });
  }

 private:
  std::unique_ptr<Subspace> inner_;
  GuardOrigin origin_;
};

/// A method whose products are subspaces.
template <class Method>
class GuardedSubspaceMaker : public Guarded<Method> {
 public:
  using Guarded<Method>::Guarded;
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override {
    return wrap("load", [&] { return this->inner_->load(folder, parameters); });
  }

 protected:
  template <class Call>
  std::unique_ptr<Subspace> wrap(const char* call, Call&& body) const {
    return std::make_unique<GuardedSubspace>(this->origin_.made(call, this->origin_.run(call, body)), this->origin_);
  }
};

class GuardedSubspaceMethod final : public GuardedSubspaceMaker<SubspaceMethod> {
 public:
  using GuardedSubspaceMaker::GuardedSubspaceMaker;
  bool needs_trajectory() const override {
    return origin_.run("needs_trajectory", [&] { return inner_->needs_trajectory(); });
  }
  bool needs_probe() const override {
    return origin_.run("needs_probe", [&] { return inner_->needs_probe(); });
  }
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override {
    return wrap("discover", [&] { return inner_->discover(inputs, options); });
  }
};

class GuardedJointMethod final : public GuardedSubspaceMaker<JointMethod> {
 public:
  using GuardedSubspaceMaker::GuardedSubspaceMaker;
  bool needs_solutions(const Options& options) const override {
    return origin_.run("needs_solutions", [&] { return inner_->needs_solutions(options); });
  }
  bool needs_tasks(const Options& options) const override {
    return origin_.run("needs_tasks", [&] { return inner_->needs_tasks(options); });
  }
  JointResult decompose(const JointInputs& inputs, const Options& options) const override {
    JointResult result = origin_.run("decompose", [&] { return inner_->decompose(inputs, options); });
    for (auto& decoder : result.decoders) decoder = wrap("decompose", [&] { return std::move(decoder); });
    return result;
  }
};

}  // namespace

std::unique_ptr<SubspaceMethod> guarded(std::unique_ptr<SubspaceMethod> method, const std::filesystem::path& file) {
  return std::make_unique<GuardedSubspaceMethod>(std::move(method), file);
}

std::unique_ptr<JointMethod> guarded(std::unique_ptr<JointMethod> method, const std::filesystem::path& file) {
  return std::make_unique<GuardedJointMethod>(std::move(method), file);
}

}  // namespace tsrun::plugin
