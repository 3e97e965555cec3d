#include <algorithm>
#include <cstdlib>

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"
#include "tsrun/checkpoint/folder.h"

// The layout of the Hugging Face hub cache: models--ORG--NAME/{refs/REVISION, snapshots/COMMIT/FILE…}.
namespace tsrun {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view scheme = "hf:", folder_prefix = "models--";

fs::path cache_folder() {
  const auto value = [](const char* name) { return std::string(std::getenv(name) ? std::getenv(name) : ""); };
  if (const auto hub = value("HF_HUB_CACHE"); !hub.empty()) return hub;
  if (const auto home = value("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const auto cache = value("XDG_CACHE_HOME"); !cache.empty()) return fs::path(cache) / "huggingface" / "hub";
  return fs::path(value("HOME")) / ".cache" / "huggingface" / "hub";
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

std::vector<std::string> cached_repositories(const fs::path& cache) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(cache, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(folder_prefix)) names.push_back(replaced(name.substr(folder_prefix.size()), "--", "/"));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Names become parts of paths: only the characters that the hub itself allows, and no way up.
bool is_name(std::string_view text, std::string_view also) {
  const auto good = [&](char c) { return std::isalnum(static_cast<unsigned char>(c)) || also.find(c) != std::string_view::npos; };
  return !text.empty() && std::all_of(text.begin(), text.end(), good) && text.find("..") == std::string_view::npos && text.front() != '/' &&
         text.back() != '/';
}

[[noreturn]] void not_cached(const std::string& repository, const fs::path& cache) {
  constexpr size_t most = 10;
  std::vector<std::string> known = cached_repositories(cache);
  const std::string near = did_you_mean(repository, known);
  std::string holds = known.empty() ? "holds no models" : "holds ";
  if (known.size() > most) {
    known.resize(most);
    known.push_back("others");
  }
  data_error("hf:{}: not in the local cache {}{}; it {}{}. tsrun never downloads; 'hf download {}' does", repository, cache.string(), near,
             holds, join_words(known), repository);
}

fs::path snapshot(const std::string& repository, const std::string& revision) {
  const fs::path cache = cache_folder(), folder = cache / (std::string(folder_prefix) + replaced(repository, "/", "--"));
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) not_cached(repository, cache);
  std::string commit = revision;
  if (fs::is_regular_file(folder / "refs" / revision, ignored)) {
    commit = read_text(folder / "refs" / revision);
    commit.erase(std::find_if(commit.begin(), commit.end(), [](unsigned char c) { return std::isspace(c); }), commit.end());
  }
  if (is_name(commit, "._-") && fs::is_directory(folder / "snapshots" / commit, ignored)) return folder / "snapshots" / commit;
  std::vector<std::string> known;
  for (const auto& part : {"refs", "snapshots"}) {
    for (const auto& entry : fs::directory_iterator(folder / part, ignored)) known.push_back(entry.path().filename().string());
  }
  std::sort(known.begin(), known.end());
  data_error("hf:{}@{}: the cache {} has no such revision{}; it holds {}", repository, revision, folder.string(),
             did_you_mean(revision, known), known.empty() ? "none" : join_words(known));
}

}  // namespace

fs::path resolve_model_folder(const std::string& specification) {
  if (specification.starts_with(scheme)) {
    const std::string rest = specification.substr(scheme.size());
    const size_t at = rest.find('@');
    const std::string repository = rest.substr(0, at), revision = at == std::string::npos ? "main" : rest.substr(at + 1);
    if (!is_name(repository, "._-/") || std::count(repository.begin(), repository.end(), '/') > 1 || !is_name(revision, "._-/")) {
      data_error("'{}': expected hf:<organisation>/<name> or hf:<organisation>/<name>@<revision>", specification);
    }
    return snapshot(repository, revision);
  }
  std::error_code ignored;
  if (fs::is_directory(specification, ignored)) return specification;
  if (fs::exists(specification, ignored))
    data_error("{}: is a file, expected a model folder (config.json and model.safetensors)", specification);
  const auto known = cached_repositories(cache_folder());
  const bool cached = std::find(known.begin(), known.end(), specification) != known.end();
  data_error("{}: no such folder{}", specification, cached ? fmt::format(" (did you mean 'hf:{}'?)", specification) : "");
}

}  // namespace tsrun
