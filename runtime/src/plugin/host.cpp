#include "tsrun/plugin/host.h"

#include "plugin/guard.h"
#include "plugin/library.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/suggest.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

namespace tsrun {
namespace {

namespace fs = std::filesystem;

template <class Method>
using Methods = std::map<std::string, std::unique_ptr<Method>>;

fs::path existing_folder(const fs::path& folder, const char* named_by) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) data_error("{}: no such folder (named by {})", folder.string(), named_by);
  return folder;
}

std::vector<fs::path> libraries_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure))
    if (entry.path().extension() == ".so") files.push_back(entry.path());
  if (failure) data_error("{}: cannot be listed: {}", folder.string(), failure.message());
  std::sort(files.begin(), files.end());
  return files;
}

/// Plugins of a checkout that scripts/tsrun has had no reason to build.
std::string not_built() {
  const char* names = std::getenv("TSRUN_NOT_BUILT");
  if (names == nullptr || *names == 0) return {};
  std::string list = names;
  std::replace(list.begin(), list.end(), '\n', ' ');
  return "; not built yet: " + list + " (scripts/setup builds all)";
}

}  // namespace

struct PluginHost::State {
  Methods<SubspaceMethod> subspaces;
  Methods<JointMethod> joints;
  Methods<DeltaMethod> deltas;
  Methods<SelectorMethod> selectors;
  Methods<RegularizerMethod> regularizers;
  std::vector<PluginInfo> infos;
  std::vector<RefusedPlugin> refused;
  std::set<fs::path> read;  ///< canonical paths

  const PluginInfo* find(const std::string& name) const {
    const auto at = std::find_if(infos.begin(), infos.end(), [&](const PluginInfo& info) { return info.name == name; });
    return at == infos.end() ? nullptr : &*at;
  }

  std::vector<std::string> names(const std::string& kind) const {
    std::vector<std::string> names;
    for (const auto& info : infos)
      if (kind.empty() || info.kind == kind) names.push_back(info.name);
    return names;
  }

  /// Why a method may be missing.
  std::string missing() const {
    std::vector<std::string> files;
    for (const auto& one : refused) files.push_back(one.file.string());
    return not_built() + (files.empty() ? "" : "; refused: " + join_words(files) + " (tsrun plugins tells why)");
  }

  template <class Method>
  const Method& get(const Methods<Method>& methods, const std::string& kind, const std::string& name) const {
    if (const auto at = methods.find(name); at != methods.end()) return *at->second;
    const auto known = names(kind);
    if (const auto* other = find(name))
      user_error("'{}' is a {}, expected a {}; known: {}", name, other->kind, kind, known.empty() ? "none" : join_words(known));
    if (known.empty()) user_error("unknown {} '{}': no plugin of this kind is loaded (tsrun plugins lists them){}", kind, name, missing());
    user_error("unknown {} '{}'{}; known: {}{}", kind, name, did_you_mean(name, known), join_words(known), missing());
  }
};

namespace {

/// Collects what one library registers, so that a library that fails half-way leaves nothing behind.
class Collector : public Registry {
 public:
  Collector(fs::path file, const PluginHost& host) : file_(std::move(file)), host_(host) {}
  void add(std::unique_ptr<SubspaceMethod> method) override { keep("subspace", std::move(method), subspaces); }
  void add(std::unique_ptr<JointMethod> method) override { keep("joint", std::move(method), joints); }
  void add(std::unique_ptr<DeltaMethod> method) override { keep("delta", std::move(method), deltas); }
  void add(std::unique_ptr<SelectorMethod> method) override { keep("selector", std::move(method), selectors); }
  void add(std::unique_ptr<RegularizerMethod> method) override { keep("regularizer", std::move(method), regularizers); }

  Methods<SubspaceMethod> subspaces;
  Methods<JointMethod> joints;
  Methods<DeltaMethod> deltas;
  Methods<SelectorMethod> selectors;
  Methods<RegularizerMethod> regularizers;
  std::vector<PluginInfo> infos;

 private:
  template <class Method>
  void keep(const char* kind, std::unique_ptr<Method> method, Methods<Method>& methods) {
    if (!method) internal_error("{}: registers nothing as a {}", file_.string(), kind);
    auto guard = plugin::guarded(std::move(method), file_);
    PluginInfo info{kind, guard->name(), guard->doc(), guard->version(), file_};
    refuse_taken(info);
    methods[info.name] = std::move(guard);
    infos.push_back(std::move(info));
  }

  void refuse_taken(const PluginInfo& info) const {
    for (const auto* known : {&host_.plugins(), &infos})
      for (const auto& other : *known)
        if (other.name == info.name)
          user_error(
              "{}: registers the {} '{}', but {} has registered a {} of that name already; rename one or remove one of the two files",
              file_.string(), info.kind, info.name, other.file.string(), other.kind);
  }

  fs::path file_;
  const PluginHost& host_;
};

void call_entry(plugin::RegisterFunction entry, Registry& registry, const fs::path& file) {
  try {
    entry(registry);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    data_error("{}: its entry threw: {}", file.string(), error.what());
  } catch (...) {
    data_error("{}: its entry threw an exception that is no std::exception", file.string());
  }
}

}  // namespace

PluginHost::PluginHost() : state_(std::make_unique<State>()) {}
PluginHost::~PluginHost() = default;

std::vector<fs::path> PluginHost::search_path(const std::vector<fs::path>& extra) {
  std::vector<fs::path> folders;
  for (const auto& folder : extra) folders.push_back(existing_folder(folder, "--plugins"));
  if (const char* variable = std::getenv("TSRUN_PLUGIN_PATH")) {
    std::string_view rest = variable;
    while (!rest.empty()) {
      const auto entry = rest.substr(0, rest.find(':'));
      if (!entry.empty()) folders.push_back(existing_folder(entry, "TSRUN_PLUGIN_PATH"));
      rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    }
  }
  std::error_code ignored;
  if (const auto own = plugin::own_plugin_folder(); fs::is_directory(own, ignored)) folders.push_back(own);
  return folders;
}

void PluginHost::load(const std::vector<fs::path>& folders) {
  for (const auto& folder : folders) {
    for (const auto& file : libraries_in(folder)) {
      try {
        load_file(file);
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::data) throw;
        state_->refused.push_back({file, error.what()});
      }
    }
  }
}

void PluginHost::load_file(const fs::path& file) {
  std::error_code failure;
  const auto canonical = fs::canonical(file, failure);
  if (failure) data_error("{}: cannot be read: {}", file.string(), failure.message());
  if (state_->read.contains(canonical)) return;
  Collector collector(file, *this);
  call_entry(plugin::open_plugin(canonical), collector, file);
  if (collector.infos.empty()) data_error("{}: its entry registers no method", file.string());
  state_->read.insert(canonical);
  state_->subspaces.merge(collector.subspaces);
  state_->joints.merge(collector.joints);
  state_->deltas.merge(collector.deltas);
  state_->selectors.merge(collector.selectors);
  state_->regularizers.merge(collector.regularizers);
  for (auto& info : collector.infos) log_debug("plugin {} ({}) from {}", info.name, info.kind, info.file.string());
  state_->infos.insert(state_->infos.end(), collector.infos.begin(), collector.infos.end());
}

const std::vector<PluginInfo>& PluginHost::plugins() const { return state_->infos; }
const std::vector<RefusedPlugin>& PluginHost::refused() const { return state_->refused; }
const SubspaceMethod& PluginHost::subspace(const std::string& name) const { return state_->get(state_->subspaces, "subspace", name); }
const JointMethod& PluginHost::joint(const std::string& name) const { return state_->get(state_->joints, "joint", name); }
const SubspaceMaker& PluginHost::subspace_maker(const std::string& name) const {
  if (state_->joints.contains(name)) return joint(name);
  return subspace(name);
}
const DeltaMethod& PluginHost::delta(const std::string& name) const { return state_->get(state_->deltas, "delta", name); }
const SelectorMethod& PluginHost::selector(const std::string& name) const { return state_->get(state_->selectors, "selector", name); }
const RegularizerMethod& PluginHost::regularizer(const std::string& name) const {
  return state_->get(state_->regularizers, "regularizer", name);
}

OptionTable PluginHost::options_of(const std::string& name) const {
  const auto* info = state_->find(name);
  if (info == nullptr) {
    const auto known = state_->names("");
    user_error("unknown plugin '{}'{}", name, did_you_mean(name, known));
  }
  if (info->kind == "subspace") return subspace(name).options();
  if (info->kind == "joint") return joint(name).options();
  if (info->kind == "delta") return delta(name).options();
  if (info->kind == "selector") return selector(name).options();
  return regularizer(name).options();
}

}  // namespace tsrun
