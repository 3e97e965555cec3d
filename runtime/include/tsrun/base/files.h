#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Durable files: write to a temporary name, fsync, rename, fsync the folder. A reader sees the old file or the new one, never a part.
namespace tsrun {

/// @throws Error(data) "PATH: cannot be read: REASON"
std::string read_text(const std::filesystem::path& path);
/// JSON with "PATH:line:column: …" errors of kind data; nested at most 200 levels deep, so that recursion over it is safe.
nlohmann::json read_json(const std::filesystem::path& path);
nlohmann::json parse_json(std::string_view text, const std::string& name);

/// @throws Error(run) "PATH: cannot be written: No space left on device"; nothing is left behind.
void write_durable(const std::filesystem::path& path, std::string_view bytes);
void write_durable(const std::filesystem::path& path, std::span<const std::byte> bytes);

/// An advisory lock (flock) that the kernel releases when its holder dies, however it dies.
class FileLock {
 public:
  static std::optional<FileLock> try_lock(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

/// A folder that appears whole or not at all. Write files into `path()`; `commit()` fsyncs them, writes `manifest.json`
/// (sizes and sha256) last, and renames. Without `commit` the destructor removes what was written.
class DurableFolder {
 public:
  explicit DurableFolder(std::filesystem::path target);
  ~DurableFolder();
  DurableFolder(const DurableFolder&) = delete;
  DurableFolder& operator=(const DurableFolder&) = delete;
  const std::filesystem::path& path() const { return temporary_; }
  void commit();  ///< when another process has committed the same target first, ours is discarded

 private:
  std::filesystem::path target_, temporary_;
  std::optional<FileLock> owner_;  // held while we write: tells others that the temporary is not stale
  bool committed_ = false;
};

/// Nothing when all files of `folder`'s manifest exist with their sizes (and digests when `deep`); else the reason.
std::optional<std::string> folder_damage(const std::filesystem::path& folder, bool deep = false);

/// Removes the temporaries that killed processes left beside `target`.
void remove_stale_temporaries(const std::filesystem::path& parent);

/// A memory map of a whole file. Replacing the file by rename leaves its maps intact. Writing or truncating it in place does not, and
/// reading lost pages ends the process (SIGBUS); the same holds on a network file system for a file that another machine replaces. Pages
/// are copy-on-write: a write through a cast `const` changes this map alone, never the file. Threads may share a map.
class MappedFile {
 public:
  /// @throws Error(data)
  static MappedFile open(const std::filesystem::path& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tsrun
