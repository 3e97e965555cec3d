#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "base/fault.h"
#include "support/errors.h"
#include "support/temporary_folder.h"
#include "tsrun/base/files.h"

namespace tsrun::base {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryFolder;

class Durable : public ::testing::Test {
 protected:
  ~Durable() override { set_write_fault(Fault::none, 0); }
  TemporaryFolder folder;
};

size_t entries(const fs::path& path) { return static_cast<size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator())); }

void write_result(const fs::path& target) {
  DurableFolder result(target);
  write_durable(result.path() / "a.txt", "one");
  fs::create_directories(result.path() / "sub");
  std::ofstream(result.path() / "sub/b.txt") << "two";
  result.commit();
}

// Runs `body` in a child; true when it ran to its end, false when it was killed.
template <class Body>
bool survives(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(Durable, FileHoldsWhatWasWritten) {
  write_durable(folder / "deep/er/x.txt", "hello");
  EXPECT_EQ(read_text(folder / "deep/er/x.txt"), "hello");
  write_durable(folder / "deep/er/x.txt", "");
  EXPECT_EQ(read_text(folder / "deep/er/x.txt"), "");
  EXPECT_EQ(entries(folder / "deep/er"), 1u);
}

TEST_F(Durable, FileIsTheOldOneOrTheNewOne_WhicheverWriteFails) {
  write_durable(folder / "x.txt", "old");
  for (int64_t n = 1;; ++n) {
    set_write_fault(Fault::disk_full, n);
    try {
      write_durable(folder / "x.txt", "new");
      break;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 4);
      EXPECT_THAT(error.what(), AllOf(HasSubstr(folder.path().string()), HasSubstr("cannot be written: No space left on device")));
    }
    set_write_fault(Fault::none, 0);
    EXPECT_EQ(entries(folder.path()), 1u) << "after failing at operation " << n;
    const std::string text = read_text(folder / "x.txt");
    EXPECT_TRUE(text == "old" || text == "new") << text;
    ASSERT_LT(n, 20);
  }
}

TEST_F(Durable, FileIsTheOldOneOrTheNewOne_WhereverItsWriterIsKilled) {
  write_durable(folder / "x.txt", "old");
  int64_t n = 1;
  const auto write_and_die = [&] {
    set_write_fault(Fault::kill, n);
    write_durable(folder / "x.txt", "new");
  };
  for (; !survives(write_and_die); ++n) {
    const std::string text = read_text(folder / "x.txt");
    EXPECT_TRUE(text == "old" || text == "new") << text;
    remove_stale_temporaries(folder.path());
    EXPECT_EQ(entries(folder.path()), 1u);
    ASSERT_LT(n, 20);
  }
  EXPECT_GE(n, 5);  // create, write, sync, rename, sync of the folder
}

TEST_F(Durable, FileSaysWhenTheSystemRefusesAWrite) {
  EXPECT_FALSE(survives([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &small);
    const std::string message = message_of(ErrorKind::run, [&] { write_durable(folder / "big", std::string(5000, 'x')); });
    _exit(message.find("big: cannot be written: File too large") != std::string::npos ? 7 : 0);
  }));
  EXPECT_EQ(entries(folder.path()), 0u);
}

TEST_F(Durable, FileSaysWhenItsPlaceCannotBe) {
  folder.write("file", "x");
  EXPECT_THAT(message_of(ErrorKind::run, [&] { write_durable(folder / "file/x", "y"); }), HasSubstr("cannot be written: Not a directory"));
  fs::create_directory(folder / "taken");
  EXPECT_THAT(message_of(ErrorKind::run, [&] { write_durable(folder / "taken", "y"); }),
              HasSubstr("taken: cannot be written: Is a directory"));
  EXPECT_EQ(entries(folder.path()), 2u);
}

TEST_F(Durable, FolderAppearsWholeWithItsManifest) {
  write_result(folder / "result");
  EXPECT_EQ(folder_damage(folder / "result", true), std::nullopt);
  const auto manifest = read_json(folder / "result/manifest.json");
  EXPECT_EQ(manifest["files"].size(), 2u);
  EXPECT_EQ(manifest["files"]["sub/b.txt"]["size"], 3);
  EXPECT_EQ(entries(folder.path()), 1u);
  EXPECT_EQ(entries(folder / "result"), 3u);
}

TEST_F(Durable, FolderIsNotThereWithoutCommit) {
  {
    DurableFolder result(folder / "result");
    write_durable(result.path() / "a.txt", "one");
    EXPECT_FALSE(fs::exists(folder / "result"));
  }
  EXPECT_EQ(entries(folder.path()), 0u);
}

TEST_F(Durable, FolderIsWholeOrAbsent_WhicheverWriteFails) {
  for (int64_t n = 1;; ++n) {
    set_write_fault(Fault::disk_full, n);
    bool failed = false;
    try {
      write_result(folder / "result");
    } catch (const Error& error) {
      failed = true;
      EXPECT_THAT(error.what(), HasSubstr("No space left on device"));
    }
    set_write_fault(Fault::none, 0);
    if (!failed) break;
    EXPECT_TRUE(!fs::exists(folder / "result") || !folder_damage(folder / "result", true));
    EXPECT_EQ(entries(folder.path()), fs::exists(folder / "result") ? 1u : 0u) << n;
    fs::remove_all(folder / "result");
    ASSERT_LT(n, 60);
  }
  EXPECT_EQ(folder_damage(folder / "result", true), std::nullopt);
}

TEST_F(Durable, FolderIsWholeOrAbsent_WhereverItsWriterIsKilled) {
  int64_t n = 1;
  const auto write_and_die = [&] {
    set_write_fault(Fault::kill, n);
    write_result(folder / "result");
  };
  for (; !survives(write_and_die); ++n) {
    EXPECT_TRUE(!fs::exists(folder / "result") || !folder_damage(folder / "result", true));
    fs::remove_all(folder / "result");
    remove_stale_temporaries(folder.path());
    // Killed between unlock and rename, a temporary has no owner to ask and stays for an hour; at no other moment.
    EXPECT_LE(entries(folder.path()), 1u);
    for (const auto& left : fs::directory_iterator(folder.path())) {
      EXPECT_TRUE(fs::exists(left.path() / "manifest.json"));
      fs::last_write_time(left.path(), fs::file_time_type::clock::now() - std::chrono::hours(2));
    }
    remove_stale_temporaries(folder.path());
    EXPECT_EQ(entries(folder.path()), 0u) << n;
    ASSERT_LT(n, 60);
  }
  EXPECT_GE(n, 10);
}

TEST_F(Durable, FolderYieldsToOneThatWasFirst) {
  DurableFolder late(folder / "result");
  write_durable(late.path() / "late.txt", "late");
  write_result(folder / "result");
  late.commit();
  EXPECT_TRUE(fs::exists(folder / "result/a.txt"));
  EXPECT_FALSE(fs::exists(folder / "result/late.txt"));
}

TEST_F(Durable, FolderReplacesADamagedOne) {
  folder.write("result/half.txt", "x");
  write_result(folder / "result");
  EXPECT_EQ(folder_damage(folder / "result", true), std::nullopt);
  EXPECT_FALSE(fs::exists(folder / "result/half.txt"));
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST_F(Durable, FolderDamageNamesTheFile) {
  write_result(folder / "result");
  folder.write("result/a.txt", "0ne");
  EXPECT_EQ(folder_damage(folder / "result"), std::nullopt);
  EXPECT_EQ(folder_damage(folder / "result", true), "'a.txt' differs from its digest");
  folder.write("result/a.txt", "longer");
  EXPECT_EQ(folder_damage(folder / "result"), "'a.txt' has 6 bytes, its manifest says 3");
  fs::remove(folder / "result/a.txt");
  EXPECT_EQ(folder_damage(folder / "result"), "'a.txt' is missing");
  folder.write("result/manifest.json", "{\"files\": {\"x\": 3}}");
  EXPECT_THAT(*folder_damage(folder / "result"), HasSubstr("'x' has no size or digest"));
  folder.write("result/manifest.json", "{");
  EXPECT_THAT(*folder_damage(folder / "result"), HasSubstr("manifest.json:1"));
  fs::remove(folder / "result/manifest.json");
  EXPECT_EQ(folder_damage(folder / "result"), "no manifest.json");
  EXPECT_EQ(folder_damage(folder / "none"), "no manifest.json");
}

// Who cleans up may take a folder away between its creation and its lock.
TEST_F(Durable, FolderIsMade_WhileAnotherThreadRemovesStaleOnes) {
  std::atomic<bool> done = false;
  std::thread cleaner([&] {
    while (!done) remove_stale_temporaries(folder.path());
  });
  int made = 0;
  try {
    for (; made < 2000; ++made) DurableFolder(folder.path() / "result");
  } catch (const Error& error) {
    ADD_FAILURE() << error.what() << " after " << made;
  }
  done = true;
  cleaner.join();
}

TEST_F(Durable, StaleTemporariesGoAndLivingOnesStay) {
  DurableFolder living(folder / "living");
  write_durable(living.path() / "a.txt", "one");
  survives([&] {
    DurableFolder dead(folder / "dead");
    write_durable(dead.path() / "a.txt", "one");
    _exit(1);
  });
  EXPECT_EQ(entries(folder.path()), 2u);
  survives([&] { remove_stale_temporaries(folder.path()); });  // another process
  EXPECT_EQ(entries(folder.path()), 1u);
  living.commit();
  EXPECT_EQ(folder_damage(folder / "living", true), std::nullopt);
  EXPECT_NO_THROW(remove_stale_temporaries(folder / "none"));
}

}  // namespace
}  // namespace tsrun::base
