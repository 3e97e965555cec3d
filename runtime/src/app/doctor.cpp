#include "app/verbs.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/suggest.h"
#include "tsrun/base/vectors.h"

#include <ATen/Context.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

/// The verb doctor: the dependencies of a run, one a line, with advice where one is missing.
namespace tsrun::app {
namespace {

struct Finding {
  bool good = true;
  std::string what, found, remedy;
};

bool on_path(const std::string& program) {
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable != nullptr ? variable : "";
  while (!rest.empty()) {
    const auto folder = rest.substr(0, rest.find(':'));
    if (access(fmt::format("{}/{}", folder, program).c_str(), X_OK) == 0) return true;
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
  }
  return false;
}

Finding examine_store(const std::filesystem::path& folder) {
  try {
    const Store store(folder);
    const auto space = std::filesystem::space(folder);
    return {true, "store", fmt::format("{}, {:.1f} GB free", folder.string(), static_cast<double>(space.available) / 1e9), ""};
  } catch (const std::exception& error) {
    return {false, "store", error.what(), ""};
  }
}

/// Which of our kernels run, and which could.
std::string vectors_found() {
  std::vector<std::string> names;
  for (const Vectors available : vectors_available()) names.emplace_back(vectors_name(available));
  return fmt::format("{} (this processor has {}; TSRUN_VECTORS chooses)", vectors_name(), join_words(names));
}

Finding examine_plugins(const Command& command) {
  try {
    PluginHost host;
    host.load(PluginHost::search_path(command.lab.plugins));
    std::string found = fmt::format("{} found", host.plugins().size());
    for (const RefusedPlugin& refused : host.refused()) found += "; " + refused.reason;
    return {!host.plugins().empty() && host.refused().empty(), "plugins", found,
            host.refused().empty() ? "build them, or name their folder with --plugins" : "rebuild or remove what is refused"};
  } catch (const Error& error) {
    return {false, "plugins", error.what(), ""};
  }
}

std::string text_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const auto& finding : findings) {
    text += fmt::format("{:<9} {:<10} {}\n", finding.good ? "ok" : "PROBLEM", finding.what, finding.found);
    if (!finding.good && !finding.remedy.empty()) text += fmt::format("{:21}-> {}\n", "", finding.remedy);
  }
  return text;
}

nlohmann::json json_of(const std::vector<Finding>& findings) {
  auto list = nlohmann::json::array();
  for (const auto& finding : findings) {
    list.push_back({{"name", finding.what}, {"ok", finding.good}, {"found", finding.found}});
    if (!finding.good && !finding.remedy.empty()) list.back()["remedy"] = finding.remedy;
  }
  return list;
}

}  // namespace

void doctor(const Command& command) {
  set_threads(command.threads.value_or(0));
  const std::vector<Finding> findings = {
      {true, "tsrun", TSRUN_VERSION, ""},
      {true, "LibTorch", fmt::format("{}, {}", TORCH_VERSION, at::hasCUDA() ? "CUDA device found" : "no CUDA device"), ""},
      {true, "ABI", std::string(abi_tag()), ""},
      {true, "threads", std::to_string(threads()), ""},
      {true, "vectors", vectors_found(), ""},
      examine_plugins(command),
      {on_path("gnuplot"), "gnuplot", on_path("gnuplot") ? "found" : "not found: reports have no figures", "apt install gnuplot-nox"},
      examine_store(command.lab.store)};
  command.json ? print_json(json_of(findings)) : print_result(text_of(findings));
  if (std::any_of(findings.begin(), findings.end(), [](const Finding& one) { return !one.good; })) data_error("something is missing");
}

}  // namespace tsrun::app
