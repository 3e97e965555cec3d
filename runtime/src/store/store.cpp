#include "tsrun/store/store.h"

#include "tsrun/base/error.h"
#include "tsrun/base/hash.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/log.h"
#include "tsrun/base/memory.h"
#include "tsrun/base/parallel.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

namespace tsrun {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

fs::path object_path(const fs::path& store, const std::string& kind, const std::string& digest) {
  return store / "objects" / kind / digest;
}

std::optional<Artifact> read_artifact(const fs::path& store, const std::string& kind, const std::string& digest) {
  const auto path = object_path(store, kind, digest);
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return std::nullopt;
  if (const auto damage = folder_damage(path)) {
    log_warning("{}: damaged ({}); it is made again", path.string(), *damage);
    return std::nullopt;
  }
  auto meta = read_json(path / "artifact.json");
  const auto summary = meta.is_object() ? meta.find("summary") : meta.end();
  if (summary == meta.end() || !(summary->is_object() || summary->is_null())) {
    log_warning("{}: damaged (artifact.json has no summary); it is made again", path.string());
    return std::nullopt;
  }
  return Artifact{kind, digest, path, std::move(meta)};
}

void create_folder(const fs::path& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) run_error("{}: cannot be created: {}; name another folder with --store", folder.string(), failure.message());
}

void remove_folder(const fs::path& folder) {
  std::error_code ignored;  // left-overs cost space, never a result
  fs::remove_all(folder, ignored);
}

/// The lock of `digest`; polls with growing pauses when asked to wait.
std::optional<FileLock> take_lock(const fs::path& path, bool wait, const std::string& kind) {
  using namespace std::chrono_literals;
  const auto begin = Clock::now();
  bool waiting_said = false;
  for (auto pause = 20ms;; pause = std::min<std::chrono::milliseconds>(pause * 2, 500ms)) {
    if (auto lock = FileLock::try_lock(path)) return lock;
    if (!wait) return std::nullopt;
    check_interrupt();
    if (!waiting_said && Clock::now() - begin > 2s) {
      log_info("another process makes this {}; waiting for it", kind);
      waiting_said = true;
    }
    std::this_thread::sleep_for(pause);
  }
}

/// Whether a failed stage may resume.
bool resumable(const Error& error) { return error.kind() == ErrorKind::interrupt || error.kind() == ErrorKind::run; }

/// Runs `make`; keeps `work` when a later attempt can resume from it.
nlohmann::json make_summary(const Store::Make& make, const fs::path& out, const fs::path& work) {
  try {
    return make(out, work);
  } catch (const Error& error) {
    std::error_code ignored;
    if (!resumable(error) || fs::is_empty(work, ignored)) remove_folder(work);
    throw;
  } catch (const fs::filesystem_error& error) {
    run_error("{}: {}", error.path1().string(), error.code().message());
  }
}

/// The same in a new `out`. A stage that resumes and meets damaged data starts over, once: its work may be what is damaged.
nlohmann::json make_or_start_over(const Store::Make& make, std::optional<DurableFolder>& out, const fs::path& target,
                                  const fs::path& work) {
  std::error_code ignored;
  const bool resumes = !fs::is_empty(work, ignored);
  out.emplace(target);
  try {
    return make_summary(make, out->path(), work);
  } catch (const Error& error) {
    if (!resumes || error.kind() != ErrorKind::data) throw;
    log_warning("{}: cannot be resumed ({}); the stage starts over", work.string(), error.what());
  }
  create_folder(work);
  out.emplace(target);
  return make_summary(make, out->path(), work);
}

nlohmann::json describe(const StageKey& key, const std::string& digest, nlohmann::json summary, double seconds, const MemoryMeter& memory) {
  nlohmann::json measured = nlohmann::json::object();
  if (const auto given = summary.find("measured"); given != summary.end()) {
    measured = std::move(*given);
    summary.erase(given);
  }
  return {{"kind", key.kind},      {"key", digest},
          {"inputs", key.inputs},  {"summary", std::move(summary)},
          {"seconds", seconds},    {"memory", {{"before_bytes", memory.before()}, {"peak_bytes", memory.peak()}}},
          {"finished", utc_now()}, {"host", host_name()},
          {"threads", threads()},  {"made_by", key.made_by},
          {"measured", measured}};
}

}  // namespace

std::string StageKey::digest() const {
  const nlohmann::json identity = {
      {"kind", kind}, {"inputs", inputs}, {"made_by", made_by}};  // objects are ordered by name, so the text is canonical
  return sha256(identity.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));  // paths need not be UTF-8
}

Store::Store(fs::path folder, Access access) : folder_(std::move(folder)) {
  if (access == Access::read) return;
  for (const char* part : {"objects", "work", "locks"}) create_folder(folder_ / part);
  if (::access((folder_ / "objects").c_str(), W_OK) != 0 || ::access((folder_ / "locks").c_str(), W_OK) != 0)
    run_error("{}: the store cannot be written: {}; name another folder with --store", folder_.string(), std::strerror(errno));
}

std::optional<Artifact> Store::find(const StageKey& key) const { return read_artifact(folder_, key.kind, key.digest()); }

Artifact Store::get(const std::string& kind, const std::string& digest) const {
  if (auto artifact = read_artifact(folder_, kind, digest)) return std::move(*artifact);
  data_error("{}: holds no whole {} with key {}", folder_.string(), kind, digest);
}

nlohmann::json Store::record(const std::string& kind, const std::string& digest) const {
  const auto path = object_path(folder_, kind, digest) / "artifact.json";
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) ? read_json(path) : nlohmann::json();
}

std::optional<Artifact> Store::compute(const StageKey& key, bool wait, const Make& make) {
  const auto digest = key.digest();
  if (auto found = read_artifact(folder_, key.kind, digest)) return found;
  const auto lock = take_lock(folder_ / "locks" / digest, wait, key.kind);
  if (!lock) return std::nullopt;
  if (auto found = read_artifact(folder_, key.kind, digest)) return found;  // somebody made it while we waited

  const auto target = object_path(folder_, key.kind, digest), work = folder_ / "work" / digest;
  create_folder(target.parent_path());
  if (std::error_code ignored; fs::exists(target, ignored)) {  // a damaged one; work that a kill left behind its commit may share its files
    remove_folder(work);
    remove_folder(target);
  }
  create_folder(work);
  remove_stale_temporaries(target.parent_path());
  const MemoryMeter memory;
  const auto begin = Clock::now();
  {
    std::optional<DurableFolder> out;
    auto summary = make_or_start_over(make, out, target, work);
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    write_durable(
        out->path() / "artifact.json",
        describe(key, digest, std::move(summary), seconds, memory).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    out->commit();
  }
  remove_folder(work);
  return get(key.kind, digest);
}

}  // namespace tsrun
