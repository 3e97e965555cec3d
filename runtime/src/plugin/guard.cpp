#include "plugin/guard.h"

#include "plugin/origin.h"
#include "tsrun/base/error.h"
#include "tsrun/tune/joint.h"

#include <c10/util/Exception.h>

#include <new>
#include <string>
#include <utility>

namespace tsrun {
namespace {

class GuardedSubspace : public Subspace {
 public:
  GuardedSubspace(std::unique_ptr<Subspace> inner, Origin origin) : inner_(std::move(inner)), origin_(std::move(origin)) {}
  const ParameterSet& parameters() const override { return inner_->parameters(); }
  const std::vector<int64_t>& dims() const override { return inner_->dims(); }
  void expand(const at::Tensor& z, at::Tensor out) const override {
    origin_.run("expand", [&] { inner_->expand(z, out); });
  }
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override {
    return origin_.run("project", [&] { return inner_->project(z, g); });
  }
  bool linear() const override { return inner_->linear(); }
  bool claims_orthonormal() const override { return inner_->claims_orthonormal(); }
  nlohmann::json describe() const override {
    return origin_.run("describe", [&] { return inner_->describe(); });
  }
  void save(const std::filesystem::path& folder) const override {
    origin_.run("save", [&] { inner_->save(folder); });
  }
  int64_t bytes_shipped() const override { return inner_->bytes_shipped(); }

 private:
  std::unique_ptr<Subspace> inner_;
  Origin origin_;
};

class GuardedSubspaceMethod : public Guarded<SubspaceMethod>, public JointMethod {
 public:
  using Guarded::Guarded;
  bool needs_trajectory() const override { return inner_->needs_trajectory(); }
  std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const override {
    return wrap("discover", [&] { return inner_->discover(inputs, options); });
  }
  std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const override {
    return wrap("load", [&] { return inner_->load(folder, parameters); });
  }
  const JointMethod* joint() const override { return inner_->joint() ? this : nullptr; }
  bool needs_solutions(const Options& options) const override {
    return origin_.run("needs_solutions", [&] { return inner_->joint()->needs_solutions(options); });
  }
  bool needs_tasks(const Options& options) const override {
    return origin_.run("needs_tasks", [&] { return inner_->joint()->needs_tasks(options); });
  }
  JointResult decompose(const JointInputs& inputs, const Options& options) const override {
    JointResult result = origin_.run("decompose", [&] { return inner_->joint()->decompose(inputs, options); });
    for (auto& decoder : result.decoders) decoder = wrap("decompose", [&] { return std::move(decoder); });
    return result;
  }

 private:
  template <class Call>
  std::unique_ptr<Subspace> wrap(const char* call, Call&& body) const {
    return std::make_unique<GuardedSubspace>(origin_.made(call, origin_.run(call, body)), origin_);
  }
};

class GuardedDeltaMethod : public Guarded<DeltaMethod> {
 public:
  using Guarded::Guarded;
  std::unique_ptr<Delta> attach(const Family& family, const Options& options) const override {
    return origin_.made("attach", origin_.run("attach", [&] { return inner_->attach(family, options); }));
  }
  std::optional<PeftType> peft_type() const override {
    return origin_.run("peft_type", [&] { return inner_->peft_type(); });
  }
  nlohmann::json options_from_peft(const nlohmann::ordered_json& config) const override {
    return origin_.run("options_from_peft", [&] { return inner_->options_from_peft(config); });
  }
  PeftTensor tensor_from_peft(PeftTensor tensor, const Delta& delta, const Family& family) const override {
    return origin_.run("tensor_from_peft", [&] { return inner_->tensor_from_peft(std::move(tensor), delta, family); });
  }
  PeftFolder to_peft(const Delta& delta, const Options& options, const Model& model) const override {
    return origin_.run("to_peft", [&] { return inner_->to_peft(delta, options, model); });
  }
};

}  // namespace

std::unique_ptr<SubspaceMethod> guarded(std::unique_ptr<SubspaceMethod> method, const std::filesystem::path& file) {
  return std::make_unique<GuardedSubspaceMethod>(std::move(method), file);
}

std::unique_ptr<DeltaMethod> guarded(std::unique_ptr<DeltaMethod> method, const std::filesystem::path& file) {
  return std::make_unique<GuardedDeltaMethod>(std::move(method), file);
}

}  // namespace tsrun
