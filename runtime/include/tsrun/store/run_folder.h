#pragma once

#include "tsrun/base/files.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

/// The folder of one run of a recipe: plain files, readable without the program. run.json has recipe, arguments, machine and outcome;
/// metrics.jsonl grows by a line a result; the report lies beside them.
namespace tsrun {

enum class RunState { running, done, failed, killed };
std::string_view name_of(RunState state);

/// Identity of a run. The same description gives the same folder: running a recipe again replaces its report.
struct RunDescription {
  std::filesystem::path recipe;
  nlohmann::json libraries = nlohmann::json::object();  ///< {path: sha256} of required files
  std::vector<std::string> command;                     ///< as typed
  nlohmann::json arguments;                             ///< of the recipe, resolved
  nlohmann::json settings;                              ///< of the program: seed, threads, device, precision, store
  std::vector<uint64_t> seeds;
  nlohmann::json versions;  ///< {"tsrun": "0.1.0", "torch": "2.13.0", plugin: version, …}
  /// sha256 of the recipe's bytes and libraries, arguments, seeds, the setting "seed" and the setting "device"; 64 digits.
  std::string digest() const;
};

/// A run in progress. run.json is durable as soon as the folder exists; a run that died without `finish` is recognised by its lock. One
/// thread only.
class RunFolder {
 public:
  /// runs/<recipe stem>/<12 digits>/; "-2", "-3", … is added while another process runs the same. @throws Error(run) when it cannot be
  /// written.
  static RunFolder begin(const std::filesystem::path& runs, const RunDescription& description);
  RunFolder(RunFolder&&) noexcept = default;
  ~RunFolder();  ///< without `finish`: failed

  const std::filesystem::path& path() const { return path_; }
  const nlohmann::json& json() const { return run_; }  ///< with times and peak memory up to now after `refresh`
  void refresh();
  /// Adds a field ("seeds", "stages", "table") to run.json; written with the next `finish`.
  void set(const std::string& name, nlohmann::json value);
  /// Keeps a page of the run, in the place of one of before with the same `folder`.
  void set_report(nlohmann::json report);
  void append_metrics(const nlohmann::json& line);  ///< one line, flushed to disk
  void finish(RunState state, const std::string& error = "");

 private:
  RunFolder(std::filesystem::path path, FileLock lock, nlohmann::json run);
  void write();
  std::filesystem::path path_;
  std::unique_ptr<FileLock> lock_;
  nlohmann::json run_;
  std::chrono::steady_clock::time_point start_;
};

/// Folder of a RUN argument: a folder, or the beginning of a run's name or of "recipe/name" under `runs`.
/// @throws Error(user) when nothing or more than one run matches, with the candidates.
std::filesystem::path find_run(const std::filesystem::path& runs, const std::string& run);
/// run.json; a state of "running" whose process is gone reads as "killed". @throws Error(data)
nlohmann::json read_run(const std::filesystem::path& folder);

std::string show_run(const std::filesystem::path& folder);
/// run.json with its folder ("path").
nlohmann::json run_as_json(const std::filesystem::path& folder);
/// Two tables joined by section and variant: means of the last score, their difference and the pooled deviation; then the differing
/// options.
std::string compare_runs(const std::filesystem::path& a, const std::filesystem::path& b);
/// The same as {"a", "b": {path, state}, "rows": [{variant, section, a, b, difference, pooled_deviation}], "differing": {name: [a, b]}}.
nlohmann::json comparison_as_json(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace tsrun
