#include "tsrun/base/durable_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/fault.h"
#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

namespace tsrun {
namespace {

constexpr std::string_view temporary_prefix = ".tsrun-tmp-";

// Another process may take a fresh temporary for a stale one between its creation and its lock; then it is gone and we make another.
int create_locked(const std::filesystem::path& path) {
  for (;;) {
    if (base::fault_point()) return -1;
    const int descriptor = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor < 0) return -1;
    struct stat state {};
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0 && fstat(descriptor, &state) == 0 && state.st_nlink > 0) return descriptor;
    close(descriptor);
  }
}

}  // namespace

void cannot_write(const std::filesystem::path& path, int error_number) {
  run_error("{}: cannot be written: {}", path.string(), std::strerror(error_number));
}
void cannot_read(const std::filesystem::path& path, int error_number) {
  data_error("{}: cannot be read: {}", path.string(), std::strerror(error_number));
}

std::filesystem::path temporary_beside(const std::filesystem::path& target) {
  static std::atomic<uint64_t> count{0};
  return target.parent_path() / fmt::format("{}{}-{}-{}", temporary_prefix, getpid(), ++count, target.filename().string());
}
bool is_temporary(const std::filesystem::path& path) { return path.filename().string().starts_with(temporary_prefix); }

void make_folders(const std::filesystem::path& folder) {
  if (folder.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) cannot_write(folder, error.value());
}

void sync_path(const std::filesystem::path& path) {
  const int descriptor = open(path.empty() ? "." : path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) cannot_write(path, errno);
  const bool good = !base::fault_point() && (fsync(descriptor) == 0 || errno == EINVAL);  // some file systems cannot sync a folder
  const int reason = errno;
  close(descriptor);
  if (!good) cannot_write(path, reason);
}

DurableFile::DurableFile(std::filesystem::path target) : target_(std::move(target)) {
  make_folders(target_.parent_path());
  temporary_ = temporary_beside(target_);
  descriptor_ = create_locked(temporary_);
  if (descriptor_ < 0) cannot_write(target_, errno);
}

DurableFile::~DurableFile() {
  if (descriptor_ < 0) return;
  unlink(temporary_.c_str());
  close(descriptor_);
}

void DurableFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = base::fault_point() ? -1 : ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) cannot_write(target_, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void DurableFile::commit() {
  if (base::fault_point() || fsync(descriptor_) != 0) cannot_write(target_, errno);
  if (base::fault_point() || rename(temporary_.c_str(), target_.c_str()) != 0) cannot_write(target_, errno);
  close(descriptor_);
  descriptor_ = -1;
  sync_path(target_.parent_path());
}

void write_durable(const std::filesystem::path& path, std::string_view bytes) {
  write_durable(path, std::as_bytes(std::span(bytes.data(), bytes.size())));
}
void write_durable(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  DurableFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace tsrun
