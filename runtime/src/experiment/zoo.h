#pragma once

#include "experiment/training_ref.h"
#include "tsrun/experiment/lab.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

/// A zoo: solutions of several tasks over one stored basis, each a vector of coordinates and what was trained beside it. Folder form in
/// docs/formats.md.
namespace tsrun::experiment {

struct ZooRequest {
  BasisRef basis;
  std::map<std::string, TrainingRef> solutions;  ///< by name, trained within the basis
  std::string which;                             ///< last or best

  /// @throws Error(user) for a training outside the basis, without kept weights, or that began elsewhere than its model
  void check() const;
};

struct ZooEntry {
  std::string name;
  std::vector<std::string> beside;  ///< parameters that were trained beside the coordinates, or drawn anew for the task
  int64_t bytes_coordinates = 0, bytes_beside = 0;
};

struct Zoo {
  int64_t bytes_basis = 0;
  std::vector<ZooEntry> entries;
  nlohmann::json to_json() const;
};

/// Writes the folder; one that holds the same zoo stays as it is. @throws Error(user) where it holds another, or where a solution is not
/// θ0 + V z for the model's own θ0
Zoo write_zoo(Lab& lab, const ZooRequest& request, const std::filesystem::path& folder);

/// One solution of a zoo.
struct ZooSolution {
  std::filesystem::path basis;                 ///< folder of the subspace
  std::filesystem::path file;                  ///< z and the parameters beside it
  std::string model, origin;                   ///< what the zoo is of, and the digest of its weights within the basis
  std::map<std::string, std::string> digests;  ///< SHA-256 of every file by its name in the zoo

  /// @throws Error(data) for a folder that is no zoo, Error(user) for a name that it lacks
  static ZooSolution find(const std::filesystem::path& folder, const std::string& name);
};

/// What a solution was put together from.
struct TakenSolution {
  at::Tensor z;
  int64_t bytes_basis = 0;
  std::vector<int64_t> dims;  ///< of the basis, by group
};

/// Puts the solution on `model`, which is where its training began: θ0 + V z as the training composes it, and the parameters beside it.
/// @throws Error(data) where parameters differ in name or shape
TakenSolution take_zoo_solution(const PluginHost& plugins, const ZooSolution& solution, Model& model);

}  // namespace tsrun::experiment
