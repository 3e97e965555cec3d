#include "tsrun/base/files.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "support/errors.h"
#include "support/temporary_folder.h"

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryFolder;

TEST(ReadText, NamesThePathAndTheReason) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of(ErrorKind::data, [&] { read_text(folder / "none"); }),
              HasSubstr("none: cannot be read: No such file or directory"));
  EXPECT_THAT(message_of(ErrorKind::data, [&] { read_text(folder.path()); }), HasSubstr("cannot be read: Is a directory"));
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(message_of(ErrorKind::data, [&] { read_text(folder / "pipe"); }),
              HasSubstr("not a regular file"));  // and does not wait for a writer
}

TEST(ReadText, ReadsEveryByte) {
  const TemporaryFolder folder;
  std::string bytes;
  for (int i = 0; i < 100000; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(read_text(folder.write("x", bytes)), bytes);
  EXPECT_EQ(read_text(folder.write("x", "")), "");
}

TEST(ReadJson, NamesLineAndColumn) {
  const TemporaryFolder folder;
  const auto refusal = [&](std::string_view text) { return message_of(ErrorKind::data, [&] { read_json(folder.write("x.json", text)); }); };
  EXPECT_THAT(refusal("{\n \"a\": }"), HasSubstr("x.json:2:7: not JSON: syntax error"));
  EXPECT_THAT(refusal(""), HasSubstr("x.json:1:1"));
  EXPECT_THAT(refusal("{\"a\": \"\xff\"}"), HasSubstr("ill-formed UTF-8"));
  EXPECT_THAT(refusal(std::string_view("{}\0x", 4)), HasSubstr("byte 2 is 0"));
  EXPECT_THAT(refusal("{} {}"), HasSubstr("x.json:1:"));
  EXPECT_THAT(refusal(std::string(1000000, '[')), HasSubstr("200 levels of nesting"));
  EXPECT_THAT(refusal("[1e999]"), HasSubstr("not JSON"));
}

TEST(ReadJson, ReadsWhatIsJson) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_json(folder.write("x", R"({"a": ["[[[", "\"{", 1.5]})"))["a"][2], 1.5);
}

TEST(MappedFile, ShowsTheWholeFile) {
  const TemporaryFolder folder;
  MappedFile map = MappedFile::open(folder.write("x", "hello"));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(map.bytes().data()), map.bytes().size()), "hello");
  const MappedFile moved = std::move(map);
  EXPECT_EQ(moved.bytes().size(), 5u);
  EXPECT_TRUE(MappedFile::open(folder.write("empty", "")).bytes().empty());
  EXPECT_THAT(message_of(ErrorKind::data, [&] { MappedFile::open(folder / "none"); }), HasSubstr("none: cannot be read"));
  EXPECT_THAT(message_of(ErrorKind::data, [&] { MappedFile::open(folder.path()); }), HasSubstr("Is a directory"));
}

TEST(FileLock, ExcludesASecondHolder) {
  const TemporaryFolder folder;
  {
    const auto held = FileLock::try_lock(folder / "deep/x.lock");
    ASSERT_TRUE(held);
    EXPECT_FALSE(FileLock::try_lock(folder / "deep/x.lock"));
  }
  EXPECT_TRUE(FileLock::try_lock(folder / "deep/x.lock"));
}

TEST(FileLock, MovesWithItsObject) {
  const TemporaryFolder folder;
  auto held = FileLock::try_lock(folder / "x.lock");
  const FileLock other = std::move(*held);
  held.reset();
  EXPECT_FALSE(FileLock::try_lock(folder / "x.lock"));
}

TEST(FileLock, IsReleased_WhenItsHolderIsKilled) {
  const TemporaryFolder folder;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = FileLock::try_lock(folder / "x.lock");
    const char sign = held ? 'y' : 'n';
    if (write(ready[1], &sign, 1) != 1) _exit(1);
    pause();
  }
  char sign = 0;
  ASSERT_EQ(read(ready[0], &sign, 1), 1);
  EXPECT_EQ(sign, 'y');
  EXPECT_FALSE(FileLock::try_lock(folder / "x.lock"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(FileLock::try_lock(folder / "x.lock"));
  close(ready[0]);
  close(ready[1]);
}

TEST(FileLock, SaysWhenItsFileCannotBeMade) {
  const TemporaryFolder folder;
  folder.write("file", "x");
  EXPECT_THAT(message_of(ErrorKind::run, [&] { FileLock::try_lock(folder / "file/x.lock"); }),
              HasSubstr("cannot be written: Not a directory"));
}

}  // namespace
}  // namespace tsrun
