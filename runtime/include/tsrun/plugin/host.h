#pragma once

#include "tsrun/plugin/plugin.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tsrun {

struct PluginInfo {
  std::string kind;  ///< subspace, joint, delta, selector, regularizer
  std::string name, doc;
  int version = 0;
  std::filesystem::path file;
};

/// A library that a search met and that is no plugin of this runtime.
struct RefusedPlugin {
  std::filesystem::path file;
  std::string reason;  ///< names the file
};

/// Loads plugins and owns their methods. Libraries are never unloaded (LibTorch does not survive it). Threads may look up methods at once;
/// loading takes one thread.
class PluginHost {
 public:
  PluginHost();
  ~PluginHost();
  /// Folders in order: `extra` (--plugins), $TSRUN_PLUGIN_PATH, the build or install tree's own. A library named twice is read once.
  static std::vector<std::filesystem::path> search_path(const std::vector<std::filesystem::path>& extra);
  /// Every library of the folders; those that are no plugins are left out and kept as `refused`, so that one of them stops nothing that
  /// does without it. @throws Error(user) for a name already taken (naming both files)
  void load(const std::vector<std::filesystem::path>& folders);
  /// Reads the library's symbols before loading it. @throws Error(data) for another ABI (found, needed, how to rebuild), for a file that
  /// is no library, and for an entry that throws; Error(user) as `load`
  void load_file(const std::filesystem::path& file);

  const std::vector<PluginInfo>& plugins() const;
  const std::vector<RefusedPlugin>& refused() const;
  /// @throws Error(user) with the near miss, and the files that were refused.
  const SubspaceMethod& subspace(const std::string& name) const;
  const JointMethod& joint(const std::string& name) const;
  /// The subspace or joint method that made a stored subspace.
  const SubspaceMaker& subspace_maker(const std::string& name) const;
  const DeltaMethod& delta(const std::string& name) const;
  const SelectorMethod& selector(const std::string& name) const;
  const RegularizerMethod& regularizer(const std::string& name) const;
  OptionTable options_of(const std::string& name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// ABI tag of this runtime; plugins must have the same.
std::string_view abi_tag();

}  // namespace tsrun
