#pragma once

#include "tsrun/base/options.h"
#include "tsrun/plugin/host.h"
#include "tsrun/store/store.h"

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The operations of a recipe, over JSON: tables of options go in, handles of artifacts come out. No Lua type is seen below the room
/// `lua`, so another front end costs one file. One thread at a time uses a laboratory.
namespace tsrun {

class Lab;
class RunFolder;

/// `run` returns JSON. The handle of an artifact is {"artifact": kind, "key": digest, …summary…}; as an argument it names the artifact.
struct Operation {
  std::string name;  ///< "train", "discover", "outliers", …: ts.<name> in Lua
  std::string doc;   ///< one sentence
  OptionTable options;
  std::string result = {};  ///< kind of what it returns (results.h); empty: told in `doc`
  std::function<nlohmann::json(Lab& lab, const Options& options)> run = {};
  /// Options that depend on the arguments (those of the named plugin); included beside `options`. Empty: none.
  std::function<OptionTable(Lab& lab, const nlohmann::json& arguments)> more = {};
  int version = 1;        ///< part of its stages' keys; raised with every change of their numbers
  bool on_device = true;  ///< false: computes on the CPU whatever --device says; in its stages' keys
  bool named = false;     ///< takes an option `name` for the display, outside every key
};

struct LabSettings {
  std::filesystem::path store = ".tsrun/store";
  std::filesystem::path runs = "runs";  ///< reports go to runs/<recipe>/<digest>/
  std::vector<std::filesystem::path> plugins;
  at::Device device = at::kCPU;
  uint64_t seed = 1;
  bool plan_only = false;            ///< `tsrun check`: validate, list the stages, touch nothing
  bool worker = false;               ///< one of several processes on one recipe: makes artifacts, writes no report
  std::vector<std::string> command;  ///< as typed, for run.json
};

/// How one call of an operation treats its stages.
struct CallContext {
  bool wait = true;                        ///< false inside ts.sweep: a busy stage throws Busy
  std::function<void()> before_work = {};  ///< called before a stage is computed (not when it is read)
};

/// Thrown (inside ts.sweep only) when another process computes the stage; the sweep goes on with its next point.
struct Busy {};

class Lab {
 public:
  explicit Lab(LabSettings settings);
  ~Lab();
  const LabSettings& settings() const;
  Store& store();
  const PluginHost& plugins() const;
  const std::vector<Operation>& operations() const;
  void add(Operation operation);  ///< internal error when the name is taken
  /// Validates against the operation's options, then runs it. @throws Error(user) starting with "`operation`: " when the arguments are
  /// wrong, Error(internal) with the same beginning when JSON or a tensor is misread behind them, Busy
  nlohmann::json call(const std::string& operation, const nlohmann::json& arguments, const CallContext& context = {});

  /// For operations: finds or makes an artifact, as `plan_only` and the call's context say; returns its handle. `made_by` completes the
  /// key. `summary_of_plan` is the summary of a plan. `work` is the size of a stage beside others of its kind, in rows read, say.
  nlohmann::json stage(StageKey key, const std::string& title, const nlohmann::json& summary_of_plan, const Store::Make& make,
                       double work = 1);
  /// {"operation", "version", "tsrun", "torch", "device"}: the part of a stage's key beside its inputs.
  nlohmann::json made_by(const std::string& operation) const;
  /// Title of a stage: the option `name` of the running call, else `what`; with the seed.
  std::string title_of(const std::string& what, int64_t seed) const;
  std::string title_of(const std::string& what) const;
  /// Stages seen so far, each once, in order: title and whether each was computed, read or planned.
  struct StageRecord {
    std::string title, kind, key, outcome;
    double seconds = 0;
  };
  const std::vector<StageRecord>& history() const;

  /// Begins the folder of this run of a recipe, with the recipe's arguments and the files that it requires, {path: sha256}. Once a
  /// laboratory, before its first report.
  RunFolder& begin_run(const std::filesystem::path& recipe, const nlohmann::json& arguments,
                       const nlohmann::json& libraries = nlohmann::json::object());
  RunFolder* begun_run();  ///< null before `begin_run`

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The operations of each room; `Lab` gathers them. (experiment/operations_*.cpp)
std::vector<Operation> model_operations();
std::vector<Operation> tokenizer_operations();
std::vector<Operation> architecture_operations();
std::vector<Operation> training_operations();
std::vector<Operation> evaluation_operations();
std::vector<Operation> generation_operations();
std::vector<Operation> trajectory_operations();
std::vector<Operation> tuning_operations();
std::vector<Operation> mask_operations();
std::vector<Operation> selection_operations();
std::vector<Operation> joint_operations();
std::vector<Operation> decoding_operations();
std::vector<Operation> low_rank_operations();
std::vector<Operation> crossing_operations();
std::vector<Operation> quantize_operations();
std::vector<Operation> zoo_operations();
std::vector<Operation> geometry_operations();
std::vector<Operation> report_operations();

}  // namespace tsrun
