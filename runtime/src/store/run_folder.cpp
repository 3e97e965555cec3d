#include "tsrun/store/run_folder.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/memory.h"
#include "tsrun/base/suggest.h"
#include "tsrun/base/vectors.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fmt/chrono.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <thread>

namespace tsrun {

namespace {

constexpr size_t name_digits = 12;
constexpr int most_at_once = 1000;

std::string now_in_words() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

nlohmann::json host() {
  utsname system{};
  ::uname(&system);
  return {{"name", system.nodename},
          {"system", fmt::format("{} {} {}", system.sysname, system.release, system.machine)},
          {"processor", processor()},
          {"vectors", vectors_name()},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_bytes", static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE)}};
}

std::string recipe_digest(const std::filesystem::path& recipe) {
  return std::filesystem::is_regular_file(recipe) ? sha256_file(recipe) : sha256(recipe.string());
}

std::filesystem::path lock_path(const std::filesystem::path& folder) { return folder / "run.lock"; }

bool holds_run(const std::filesystem::path& folder) { return std::filesystem::is_regular_file(folder / "run.json"); }

/// Whether the process that wrote "running" is gone; false when unknown (a folder without write permission).
bool abandoned(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(lock_path(folder))) return false;
  try {
    return FileLock::try_lock(lock_path(folder)).has_value();
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::string_view name_of(RunState state) {
  switch (state) {
    case RunState::running:
      return "running";
    case RunState::done:
      return "done";
    case RunState::failed:
      return "failed";
    case RunState::killed:
      return "killed";
  }
  internal_error("a run is in no state");
}

std::string RunDescription::digest() const {
  const auto setting = [&](const char* name) { return settings.is_object() ? settings.value(name, nlohmann::json()) : nlohmann::json(); };
  nlohmann::json identity = {{"recipe", recipe_digest(recipe)},
                             {"arguments", arguments},
                             {"seeds", seeds},
                             {"seed", setting("seed")},
                             {"device", setting("device")}};
  for (const auto& [path, digest] : libraries.items())
    identity["libraries"].push_back(digest);  // their place decides nothing, as the recipe's
  return sha256(identity.dump());
}

RunFolder::RunFolder(std::filesystem::path path, FileLock lock, nlohmann::json run)
    : path_(std::move(path)),
      lock_(std::make_unique<FileLock>(std::move(lock))),
      run_(std::move(run)),
      start_(std::chrono::steady_clock::now()) {}

RunFolder RunFolder::begin(const std::filesystem::path& runs, const RunDescription& description) {
  const std::string digest = description.digest();
  const auto base = runs / description.recipe.stem() / digest.substr(0, name_digits);
  for (int attempt = 1; attempt <= most_at_once; ++attempt) {
    const std::filesystem::path path = attempt == 1 ? base : std::filesystem::path(fmt::format("{}-{}", base.string(), attempt));
    std::error_code failure;
    std::filesystem::create_directories(path, failure);
    if (failure) run_error("{}: cannot be created: {}", path.string(), failure.message());
    auto lock = FileLock::try_lock(lock_path(path));
    if (!lock) continue;
    RunFolder folder(path, std::move(*lock),
                     {{"format", 1},
                      {"state", name_of(RunState::running)},
                      {"id", digest},
                      {"recipe", {{"path", description.recipe.string()}, {"sha256", recipe_digest(description.recipe)}}},
                      {"libraries", description.libraries},
                      {"command", description.command},
                      {"arguments", description.arguments},
                      {"settings", description.settings},
                      {"seeds", description.seeds},
                      {"versions", description.versions},
                      {"host", host()},
                      {"process", ::getpid()},
                      {"started", now_in_words()}});
    write_durable(path / "metrics.jsonl", std::string_view());
    folder.write();
    return folder;
  }
  run_error("{}: {} processes already run this", base.string(), most_at_once);
}

RunFolder::~RunFolder() {
  if (!lock_ || run_.value("state", "") != name_of(RunState::running)) return;
  try {
    finish(RunState::failed, "the run ended without saying how");
  } catch (const std::exception&) {  // a full disk; the lock still tells
  }
}

void RunFolder::write() { write_durable(path_ / "run.json", run_.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"); }

void RunFolder::refresh() {
  run_["ended"] = now_in_words();
  run_["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  run_["peak_memory_bytes"] = peak_memory_bytes();
}

void RunFolder::set(const std::string& name, nlohmann::json value) { run_[name] = std::move(value); }

void RunFolder::set_report(nlohmann::json report) {
  if (!run_.contains("reports")) run_["reports"] = nlohmann::json::array();
  for (auto& kept : run_["reports"]) {
    if (kept["folder"] != report["folder"]) continue;
    kept = std::move(report);
    return;
  }
  run_["reports"].push_back(std::move(report));
}

void RunFolder::append_metrics(const nlohmann::json& line) {
  const auto path = path_ / "metrics.jsonl";
  const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  const bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  const int reason = errno;
  if (file >= 0) ::close(file);
  if (!written) run_error("{}: cannot be written: {}", path.string(), std::strerror(reason));
}

void RunFolder::finish(RunState state, const std::string& error) {
  refresh();
  run_["state"] = name_of(state);
  if (!error.empty()) run_["error"] = error;
  write();
}

std::filesystem::path find_run(const std::filesystem::path& runs, const std::string& run) {
  const std::filesystem::path named = run;
  std::error_code ignored;
  if (named.filename() == "run.json" && std::filesystem::is_regular_file(named, ignored)) return named.parent_path();
  if (holds_run(run)) return run;
  if (std::filesystem::exists(named, ignored)) data_error("{}: holds no run.json, expected the folder of a run", run);
  std::vector<std::string> all, matching;
  if (std::filesystem::is_directory(runs)) {
    for (const auto& recipe : std::filesystem::directory_iterator(runs)) {
      if (!recipe.is_directory()) continue;
      for (const auto& entry : std::filesystem::directory_iterator(recipe.path())) {
        if (!holds_run(entry.path())) continue;
        const std::string name = entry.path().filename().string(), full = recipe.path().filename().string() + "/" + name;
        all.push_back(full);
        if (full == run || name == run) return entry.path();
        if (full.rfind(run, 0) == 0 || name.rfind(run, 0) == 0) matching.push_back(full);
      }
    }
  }
  std::sort(matching.begin(), matching.end());
  if (matching.size() == 1) return runs / matching.front();
  if (matching.size() > 1) user_error("run '{}' is ambiguous: {}", run, join_words(matching));
  user_error("no run '{}' in '{}': expected a folder with run.json, or the beginning of a run's name{}", run, runs.string(),
             did_you_mean(run, all));
}

nlohmann::json read_run(const std::filesystem::path& folder) {
  nlohmann::json run = read_json(folder / "run.json");
  if (!run.is_object() || !run.contains("state") || !run["state"].is_string()) {
    data_error("{}: not the record of a run: no field 'state'", (folder / "run.json").string());
  }
  if (run["state"] == name_of(RunState::running) && abandoned(folder)) run["state"] = name_of(RunState::killed);
  return run;
}

}  // namespace tsrun
