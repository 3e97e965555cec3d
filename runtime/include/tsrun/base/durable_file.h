#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace tsrun {

/// A file written piece by piece under a temporary name; `commit` makes it durable under its own. Without `commit` nothing remains.
/// The temporary is locked while its writer lives: `remove_stale_temporaries` removes unlocked ones. One thread only.
/// @throws Error(run) "PATH: cannot be written: REASON"
class DurableFile {
 public:
  explicit DurableFile(std::filesystem::path target);
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  void commit();

 private:
  std::filesystem::path target_, temporary_;
  int descriptor_ = -1;
};

/// Name of a temporary: "FOLDER/.tsrun-tmp-<pid>-<n>-NAME".
std::filesystem::path temporary_beside(const std::filesystem::path& target);
bool is_temporary(const std::filesystem::path& path);

void sync_path(const std::filesystem::path& path);       ///< fsync of a file or folder; Error(run)
void make_folders(const std::filesystem::path& folder);  ///< Error(run) with the reason
[[noreturn]] void cannot_write(const std::filesystem::path& path, int error_number);
[[noreturn]] void cannot_read(const std::filesystem::path& path, int error_number);

}  // namespace tsrun
