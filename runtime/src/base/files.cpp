#include "tsrun/base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "tsrun/base/durable_file.h"
#include "tsrun/base/error.h"

namespace tsrun {
namespace {

// Closes a descriptor at the end of a scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

size_t size_of_regular_file(const Descriptor& file, const std::filesystem::path& path) {
  struct stat state {};
  if (file.number() < 0 || fstat(file.number(), &state) != 0) cannot_read(path, errno);
  if (S_ISDIR(state.st_mode)) cannot_read(path, EISDIR);
  if (!S_ISREG(state.st_mode)) data_error("{}: cannot be read: not a regular file", path.string());
  return static_cast<size_t>(state.st_size);
}

// Values nest only so deep before code that walks them by recursion is at risk.
constexpr int deepest_json = 200;

bool nests_too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '{' || c == '[')) {
      if (++depth > deepest_json) return true;
    } else if (!quoted && (c == '}' || c == ']')) {
      --depth;
    }
  }
  return false;
}

}  // namespace

std::string read_text(const std::filesystem::path& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string text(size_of_regular_file(file, path), '\0');
  size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t count = read(file.number(), text.data() + filled, text.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) cannot_read(path, errno);
    if (count == 0) break;
    filled += static_cast<size_t>(count);
  }
  text.resize(filled);
  return text;
}

nlohmann::json read_json(const std::filesystem::path& path) { return parse_json(read_text(path), path.string()); }

nlohmann::json parse_json(std::string_view text, const std::string& name) {
  if (nests_too_deep(text)) data_error("{}: not JSON that we read: more than {} levels of nesting", name, deepest_json);
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) data_error("{}: not JSON: byte {} is 0", name, zero);
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const std::string_view before = text.substr(0, error.byte > 0 ? error.byte - 1 : 0);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t column = before.size() - (before.rfind('\n') + 1) + 1;
    const std::string_view message = error.what();
    const size_t reason = message.find("syntax error");
    data_error("{}:{}:{}: not JSON: {}", name, line, column, reason == std::string_view::npos ? message : message.substr(reason));
  } catch (const nlohmann::json::exception& error) {
    data_error("{}: not JSON: {}", name, error.what());
  }
}

std::optional<FileLock> FileLock::try_lock(const std::filesystem::path& path) {
  for (int vanished = 0;;) {
    make_folders(path.parent_path());
    const int descriptor = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno == ENOENT && ++vanished < 100) continue;  // somebody took the folder for a stale one
    if (descriptor < 0) cannot_write(path, errno);
    FileLock lock(descriptor);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) return std::nullopt;
      cannot_write(path, errno);
    }
    // A lock on a file that was unlinked or replaced meanwhile excludes nobody.
    struct stat held {
    }, named{};
    if (fstat(descriptor, &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev)
      return lock;
  }
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
FileLock::~FileLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

MappedFile MappedFile::open(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  MappedFile map;
  map.size_ = size_of_regular_file(file, path);
  if (map.size_ == 0) return map;
  // Tensors are made of these bytes, and ATen has no read-only ones: a stray write should cost a page, not the process.
  void* address = mmap(nullptr, map.size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.number(), 0);
  if (address == MAP_FAILED) {
    map.size_ = 0;
    cannot_read(path, errno);
  }
  map.data_ = static_cast<const std::byte*>(address);
  return map;
}

MappedFile::MappedFile(MappedFile&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}
MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace tsrun
