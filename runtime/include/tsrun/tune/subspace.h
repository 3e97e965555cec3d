#pragma once

#include "tsrun/base/options.h"
#include "tsrun/base/random.h"
#include "tsrun/tune/parameter_set.h"
#include "tsrun/tune/probe.h"
#include "tsrun/tune/trajectory.h"

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tsrun {

/// Facts of a subspace that the runtime reads; empty where its method does not know them.
struct SubspaceFacts {
  struct Group {
    std::vector<double> singular_values;  ///< descending, of what the directions were taken from; more than dims where some were dropped
    double update_length = 0;             ///< |θ_T − θ0| of the trajectory behind the subspace; 0: none
  };
  std::vector<Group> groups;  ///< those of the parameter set in its order, or none
};

/// A map per group from few coordinates to all parameters: θ = θ0 + expand(z). Linear unless `linear()` says otherwise.
///
/// z is one flat float32 vector: group i owns coordinates [first[i], first[i] + dims[i]).
class Subspace {
 public:
  virtual ~Subspace() = default;
  virtual const ParameterSet& parameters() const = 0;
  virtual const std::vector<int64_t>& dims() const = 0;  ///< coordinates of each group
  int64_t dim() const;                                   ///< their sum
  /// out += V z. `out` is flat float32 [parameters().layout.total()].
  virtual void expand(const at::Tensor& z, at::Tensor out) const = 0;
  /// out = origin + V z, of vectors like those of `expand`: for maps that save a pass over memory by it.
  virtual void compose(const at::Tensor& origin, const at::Tensor& z, at::Tensor out) const {
    out.copy_(origin);
    expand(z, out);
  }
  /// Vᵀ g; a non-linear map returns its vector-Jacobian product at z. float32 [dim()].
  virtual at::Tensor project(const at::Tensor& z, const at::Tensor& g) const = 0;
  virtual bool linear() const { return true; }
  virtual bool claims_orthonormal() const = 0;  ///< columns of each group orthonormal
  /// z starts uniformly in [−w, w] where a training names no initialisation of its own; 0: at zero. For maps that cannot leave zero.
  virtual double initial_width() const { return 0; }
  /// Read by figures and warnings; all other facts are in `describe`.
  virtual SubspaceFacts facts() const { return {}; }
  /// A description for people, as free JSON: groups, ranks kept and dropped, energy, |cos(v1, θ0)|.
  virtual nlohmann::json describe() const = 0;
  /// Writes whatever `SubspaceMethod::load` needs, without the parameter set (the caller writes that).
  virtual void save(const std::filesystem::path& folder) const = 0;
  /// Bytes that must be shipped with z to rebuild the update: 0 when a key regenerates the map.
  virtual int64_t bytes_shipped() const = 0;
};

/// Inputs of a subspace method.
struct SubspaceInputs {
  ParameterSet parameters;
  at::Tensor origin;                       ///< flat θ0, float32; undefined when no model or trajectory is given
  const Trajectory* trajectory = nullptr;  ///< of the same layout
  std::vector<at::Tensor> solutions;       ///< flat weights of tuned models, same layout
  Key key = Key::root(0);
  std::filesystem::path scratch;     ///< a folder for large temporaries
  const Weights* weights = nullptr;  ///< of the whole model with the task's head; given with `probe`
  Probe* probe = nullptr;            ///< rows of the training split, for methods that need it
};

/// Makes subspaces and reads them again: a method of the kind `subspace`, or of the kind `joint` (tune/joint_method.h).
class SubspaceMaker {
 public:
  virtual ~SubspaceMaker() = default;
  virtual std::string name() const = 0;
  virtual std::string doc() const = 0;  ///< one sentence
  virtual int version() const = 0;      ///< raised whenever the numbers change; part of stage keys
  virtual OptionTable options() const = 0;
  /// Reads what one of its subspaces saved. @throws Error(data) for a damaged folder, or one of another layout.
  virtual std::unique_ptr<Subspace> load(const std::filesystem::path& folder, const ParameterSet& parameters) const = 0;
};

/// The plugin kind `subspace`.
class SubspaceMethod : public SubspaceMaker {
 public:
  virtual bool needs_trajectory() const { return false; }
  virtual bool needs_probe() const { return false; }  ///< reads gradients of a task at θ0 (`task` of ts.discover)
  /// @throws Error(user) when options contradict the inputs (dim larger than the trajectory).
  virtual std::unique_ptr<Subspace> discover(const SubspaceInputs& inputs, const Options& options) const = 0;
};

/// Folder form of a subspace: subspace.json (method, version, options, parameter set, description) beside what the method saves.
void save_subspace(const Subspace& subspace, const SubspaceMaker& method, const Options& options, const std::filesystem::path& folder);
/// Reads such a folder. `lookup` finds the method by name. @throws Error(data) when it was made by another version of the method.
std::unique_ptr<Subspace> load_subspace(const std::filesystem::path& folder,
                                        const std::function<const SubspaceMaker&(const std::string&)>& lookup);

/// `subspace.describe()` with what the runtime itself says of every group under "groups": name, dim, and its facts.
nlohmann::json described(const Subspace& subspace);

/// Offset of group i's coordinates in the flat z, for i = 0…groups (the last is the total).
std::vector<int64_t> coordinate_offsets(const std::vector<int64_t>& dims);

}  // namespace tsrun
