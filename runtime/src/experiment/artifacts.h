#pragma once

#include "tsrun/base/options.h"
#include "tsrun/data/word_control.h"
#include "tsrun/text/train_tokenizer.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Handles as operations read them: typed, and complete. A recipe holds them as JSON; `from_json` and `to_json` are the edge, and
/// to_json(from_json(handle)) is the handle again. Trainings and what is made of them: experiment/training_ref.h.
/// @throws Error(internal) from every from_json, naming kind and field
namespace tsrun::experiment {

/// Any artifact.
struct ArtifactRef {
  std::string kind, key;
  std::string stage, inside;  ///< of an artifact inside another: kind of the other, and the folder's name where it is not `kind`
  bool planned = false;       ///< nothing is computed yet
  nlohmann::json facts = nlohmann::json::object();  ///< other fields, for recipes and reports alone

  static ArtifactRef from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
  /// Kind, key and place, for a stage key.
  nlohmann::json identity() const;
  /// A handle of these alone.
  ArtifactRef place() const { return from_json(identity()); }
};

/// Null where there is none.
template <class Ref>
nlohmann::json identity(const std::optional<Ref>& ref) {
  return ref ? ref->identity() : nlohmann::json();
}

/// A handle of what `Lab::stage` returned; fields of its own kind are still to be set.
template <class Ref>
Ref ref_to(const nlohmann::json& stage) {
  Ref ref;
  static_cast<ArtifactRef&>(ref) = ArtifactRef::from_json(stage);
  return ref;
}

/// A task of ts.task.
struct TaskRef : ArtifactRef {
  struct Split {
    int64_t rows = 0;
    double majority_score = 0;  ///< NaN where there is none
  };
  std::string name, spec;
  std::string as;  ///< "itself" or "text_to_text"
  WordControl words = {};
  std::string metric;  ///< the first metric, which is the score
  std::map<std::string, Split> splits;

  /// @throws Error(user) naming the nearest; operations ask before a stage, so that a plan finds it too
  void require(const std::string& split) const;
  static TaskRef from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
};

/// A tokenizer of ts.tokenizer.train. What its facts say of a planned byte_bpe is what was asked for.
struct TokenizerRef : ArtifactRef {
  TokenizerFacts tokens;

  static TokenizerRef from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
};

/// A handle that an operation may be given.
template <class Ref>
std::optional<Ref> given_ref(const Options& options, const char* name) {
  return options.has(name) ? std::optional(Ref::from_json(options.value(name))) : std::nullopt;
}

/// A delta of ts.adapt.
struct DeltaRef {
  std::string method;
  int64_t version = 0;
  Options options;                        ///< resolved, of the method
  std::optional<uint64_t> seed;           ///< of its initial values; nothing: each training's own
  std::optional<std::string> values;      ///< folder of PEFT with its initial values
  std::optional<nlohmann::json> content;  ///< that folder's files by digest

  static DeltaRef from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
};

/// A module that a delta changes.
struct DeltaModule {
  std::string method, pattern, module;
  int64_t numbers = 0;

  static DeltaModule from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
};

/// A model of ts.model or ts.adapt.
struct ModelRef : ArtifactRef {
  /// Learning rates and epochs of trainings without these options.
  struct Defaults {
    double lr = 0, lr_head = 0;
    int64_t epochs = 0;
  };
  std::string spec;
  std::optional<std::string> path;     ///< folder; nothing while it is planned
  std::optional<std::string> content;  ///< digest of a user's folder; nothing for one of the program's own
  Defaults defaults;
  std::vector<DeltaRef> deltas;                     ///< in the order of ts.adapt
  std::optional<std::vector<DeltaModule>> modules;  ///< of all deltas; nothing for a plain or a planned model
  int64_t delta_parameters = 0;                     ///< in these modules

  bool adapted() const { return !deltas.empty(); }
  /// @throws Error(internal) while it is planned
  const std::string& folder() const;

  static ModelRef from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
};

/// Steps of trainings by their key: what a result rests on, each training once. Rows whose gradients a choice or a basis looked at before
/// any training count too, in steps of the default batch size.
using StepsByTraining = std::map<std::string, int64_t>;

/// A trajectory of ts.trajectory, or one that a training recorded.
struct TrajectoryRef : ArtifactRef {
  std::optional<ModelRef> model;  ///< of the parameters; nothing where it is not known
  StepsByTraining rests_on;       ///< the training that recorded it, and those behind that one

  static TrajectoryRef from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
};

/// A basis of ts.discover, or a member of a joint space.
struct BasisRef : ArtifactRef {
  std::string method;
  std::optional<std::string> member;  ///< its name in the joint space
  int64_t dim = 0;                    ///< coordinates; 0 while it is planned
  ModelRef model;
  std::optional<TrajectoryRef> trajectory;  ///< that it was made of
  StepsByTraining rests_on;                 ///< trainings behind it, and gradients of its own

  const std::string& title() const { return member ? *member : method; }
  static BasisRef from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
};

/// A scope of ts.select.
struct ScopeRef : ArtifactRef {
  std::string method;
  StepsByTraining rests_on;  ///< the training that it judges, and gradients of its own

  static ScopeRef from_json(const nlohmann::json& handle);
  nlohmann::json to_json() const;
};

}  // namespace tsrun::experiment
