#include "tsrun/store/store.h"

#include "support/folder_test.h"
#include "tsrun/base/interrupt.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class StoreTest : public FolderTest {
 protected:
  static constexpr bool kWait = true;
  StageKey key_{"number", {{"value", 3}}};

  static Store::Make writes(const std::string& text, int* calls = nullptr) {
    return [=](const fs::path& out, const fs::path&) {
      if (calls != nullptr) ++*calls;
      std::ofstream(out / "value.txt") << text;
      return json{{"length", text.size()}};
    };
  }

  /// Runs `body` in a child process; the child exits with its result.
  template <class Body>
  static pid_t in_child(Body&& body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    return child;
  }
  static int exit_code(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  static void wait_for(const fs::path& file) {
    while (!fs::exists(file)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
};

TEST_F(StoreTest, ComputesOnce_ThenReads) {
  Store store(folder_ / "store");
  int calls = 0;
  const auto made = store.compute(key_, kWait, writes("abc", &calls));
  const auto read = Store(folder_ / "store").compute(key_, kWait, writes("abc", &calls));
  EXPECT_EQ(calls, 1);
  ASSERT_TRUE(made && read);
  EXPECT_EQ(made->meta, read->meta);
  EXPECT_EQ(read->meta["summary"]["length"], 3);
  EXPECT_EQ(read->meta["inputs"], key_.inputs);
  for (const char* field : {"seconds", "host", "threads", "made_by", "finished"}) EXPECT_TRUE(read->meta.contains(field)) << field;
  EXPECT_TRUE(fs::is_empty(folder_ / "store" / "work"));
}

TEST_F(StoreTest, KeepsMeasurementsOutOfTheSummary) {
  Store store(folder_ / "store");
  const auto made = store.compute(key_, kWait, [](const fs::path&, const fs::path&) {
    return json{{"length", 3}, {"measured", {{"step_seconds", 0.5}}}};
  });
  EXPECT_EQ(made->meta["summary"], (json{{"length", 3}}));
  EXPECT_EQ(store.record(key_.kind, key_.digest()).at("measured").at("step_seconds"), 0.5);
}

TEST_F(StoreTest, KeysFollowEveryInput) {
  EXPECT_EQ(key_.digest(), (StageKey{"number", {{"value", 3}}}.digest()));
  EXPECT_NE(key_.digest(), (StageKey{"number", {{"value", 4}}}.digest()));
  EXPECT_NE(key_.digest(), (StageKey{"digit", {{"value", 3}}}.digest()));
  EXPECT_NE(key_.digest(), (StageKey{"number", {{"value", 3}}, {{"version", 2}}}.digest()));
  EXPECT_EQ((StageKey{"n", json::parse(R"({"a":1,"b":2})")}.digest()), (StageKey{"n", json::parse(R"({"b":2,"a":1})")}.digest()));
}

TEST_F(StoreTest, LeavesNothing_WhenAStageRefusesItsInput) {
  Store store(folder_ / "store");
  const auto refuse = [](const fs::path& out, const fs::path& work) -> json {
    std::ofstream(out / "half.txt") << "half";
    std::ofstream(work / "half.txt") << "half";
    user_error("dim 40 is larger than the trajectory (12 points)");
  };
  EXPECT_EQ(error_of([&] { store.compute(key_, kWait, refuse); }).kind(), ErrorKind::user);
  EXPECT_EQ(files_below(folder_ / "store" / "objects") + files_below(folder_ / "store" / "work"), 0u);
  EXPECT_FALSE(store.find(key_));
}

TEST_F(StoreTest, KeepsTheWork_OfAnInterruptedStage_UntilItIsWhole) {
  Store store(folder_ / "store");
  const auto make = [](const fs::path& out, const fs::path& work) -> json {
    if (fs::exists(work / "step.txt")) return {{"resumed", true}};
    std::ofstream(work / "step.txt") << "7";
    throw Error(ErrorKind::interrupt, "interrupted");
  };
  EXPECT_EQ(error_of([&] { store.compute(key_, kWait, make); }).kind(), ErrorKind::interrupt);
  EXPECT_EQ(store.compute(key_, kWait, make)->meta["summary"]["resumed"], true);
  EXPECT_TRUE(fs::is_empty(folder_ / "store" / "work"));
}

TEST_F(StoreTest, MakesADamagedArtifactAgain) {
  Store store(folder_ / "store");
  const auto path = store.compute(key_, kWait, writes("abc"))->path;
  std::ofstream(path / "value.txt") << "a";
  EXPECT_FALSE(store.find(key_));
  EXPECT_TRUE(store.compute(key_, kWait, writes("abc")));
  EXPECT_EQ(read_text(path / "value.txt"), "abc");
}

TEST_F(StoreTest, MakesADamagedArtifactAgain_WithoutTheWorkThatAKillLeftBehindItsCommit) {
  Store store(folder_ / "store");
  const auto path = store.compute(key_, kWait, writes("abc"))->path;
  const fs::path left = folder_ / "store" / "work" / key_.digest();
  fs::create_directories(left);
  fs::create_hard_link(path / "value.txt", left / "value.txt");
  std::ofstream(path / "value.txt") << "a";
  const auto made = store.compute(key_, kWait, [](const fs::path& out, const fs::path& work) {
    EXPECT_TRUE(fs::is_empty(work));
    return writes("abc")(out, work);
  });
  EXPECT_EQ(read_text(made->path / "value.txt"), "abc");
}

/// Interrupted first; then it meets data that it refuses, as long as there is work to resume from.
Store::Make damaged_work(int& calls) {
  return [&calls](const fs::path& out, const fs::path& work) -> json {
    std::ofstream(out / fmt::format("call-{}.txt", ++calls)) << "x";
    if (calls == 1) {
      std::ofstream(work / "step.txt") << "7";
      throw Error(ErrorKind::interrupt, "interrupted");
    }
    if (!fs::is_empty(work)) data_error("step.txt: not a checkpoint");
    return {{"calls", calls}};
  };
}

TEST_F(StoreTest, StartsOver_WhereItCannotResume) {
  Store store(folder_ / "store");
  int calls = 0;
  EXPECT_EQ(error_of([&] { store.compute(key_, kWait, damaged_work(calls)); }).kind(), ErrorKind::interrupt);
  const auto made = store.compute(key_, kWait, damaged_work(calls));
  EXPECT_EQ(made->meta["summary"]["calls"], 3);
  EXPECT_FALSE(fs::exists(made->path / "call-2.txt")) << "what the failed attempt wrote";
  EXPECT_TRUE(fs::exists(made->path / "call-3.txt"));
  EXPECT_TRUE(fs::is_empty(folder_ / "store" / "work"));
}

TEST_F(StoreTest, RefusesDamagedInputOnce_WithoutWork) {
  Store store(folder_ / "store");
  int calls = 0;
  const auto refuse = [&](const fs::path&, const fs::path&) -> json {
    ++calls;
    data_error("rte.tsv: cannot be read");
  };
  EXPECT_EQ(error_of([&] { store.compute(key_, kWait, refuse); }).kind(), ErrorKind::data);
  EXPECT_EQ(calls, 1);
}

TEST_F(StoreTest, SaysSo_WhenTheFolderCannotBeCreated) {
  for (const fs::path folder : {"/proc/tsrun-store", "/dev/null/store"}) {
    const auto error = error_of([&] { Store store(folder); });
    EXPECT_EQ(error.kind(), ErrorKind::run);
    EXPECT_THAT(error.what(), AllOf(HasSubstr(folder.string()), HasSubstr("--store")));
  }
}

TEST_F(StoreTest, SaysSo_WhenTheFolderIsReadOnly) {
  Store store(folder_ / "store");
  fs::permissions(folder_ / "store" / "objects", fs::perms::owner_read | fs::perms::owner_exec);
  const bool root = geteuid() == 0;  // root writes into read-only folders; nobody does not
  ASSERT_TRUE(!root || seteuid(65534) == 0);
  const Error error = error_of([&] { Store again(folder_ / "store"); });
  ASSERT_TRUE(!root || seteuid(0) == 0);
  EXPECT_EQ(error.kind(), ErrorKind::run);
  EXPECT_THAT(error.what(), HasSubstr("--store"));
  fs::permissions(folder_ / "store" / "objects", fs::perms::owner_all);
}

TEST_F(StoreTest, LeavesNothingHalfWritten_WhenTheDiskIsFull) {
  const auto fill = [&] {
    std::signal(SIGXFSZ, SIG_IGN);  // then writing past the limit fails as a full disk does
    const rlimit limit{4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    Store store(folder_ / "store");
    const auto make = [](const fs::path& out, const fs::path&) -> json {
      write_durable(out / "large.bin", std::string(1 << 20, 'x'));
      return {};
    };
    try {
      store.compute(key_, kWait, make);
    } catch (const Error& error) {
      return error.exit_code();
    }
    return 0;
  };
  EXPECT_EQ(exit_code(in_child(fill)), static_cast<int>(ErrorKind::run));
  EXPECT_EQ(files_below(folder_ / "store" / "objects"), 0u);
  EXPECT_TRUE(Store(folder_ / "store").compute(key_, kWait, writes("abc")));
}

TEST_F(StoreTest, ReturnsAtOnce_WhenAnotherProcessHoldsTheLock_AndWaitsWhenAsked) {
  const auto started = folder_ / "started", release = folder_ / "release";
  const auto slow = [&] {
    Store(folder_ / "store").compute(key_, kWait, [&](const fs::path& out, const fs::path& work) {
      std::ofstream(started.string()) << "";
      wait_for(release);
      return writes("theirs")(out, work);
    });
    return 0;
  };
  const pid_t child = in_child(slow);
  wait_for(started);
  Store store(folder_ / "store");
  int calls = 0;
  EXPECT_FALSE(store.compute(key_, !kWait, writes("ours", &calls)));
  std::ofstream(release.string()) << "";
  const auto waited = store.compute(key_, kWait, writes("ours", &calls));
  EXPECT_EQ(exit_code(child), 0);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(read_text(waited->path / "value.txt"), "theirs");
}

TEST_F(StoreTest, TakesOver_WhenAProcessIsKilledWhileItHoldsTheLock) {
  const auto started = folder_ / "started";
  const auto hang = [&] {
    Store(folder_ / "store").compute(key_, kWait, [&](const fs::path& out, const fs::path& work) -> json {
      std::ofstream(out / "half.txt") << "half";
      std::ofstream(work / "step.txt") << "7";
      std::ofstream(started.string()) << "";
      for (;;) pause();
    });
    return 0;
  };
  const pid_t child = in_child(hang);
  wait_for(started);
  kill(child, SIGKILL);
  EXPECT_EQ(exit_code(child), -SIGKILL);
  Store store(folder_ / "store");
  bool resumed = false;
  const auto artifact = store.compute(key_, !kWait, [&](const fs::path& out, const fs::path& work) {
    resumed = fs::exists(work / "step.txt");
    return writes("ours")(out, work);
  });
  ASSERT_TRUE(artifact);
  EXPECT_TRUE(resumed);
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(artifact->path.parent_path())) ++entries;
  EXPECT_EQ(entries, 1u) << "the dead process's temporary is still there";
}

TEST_F(StoreTest, StopsWaiting_WhenInterrupted) {
  Store store(folder_ / "store");
  const auto lock = FileLock::try_lock(folder_ / "store" / "locks" / key_.digest());
  ASSERT_TRUE(lock);
  watch_interrupts();
  std::raise(SIGINT);
  EXPECT_EQ(error_of([&] { store.compute(key_, kWait, writes("abc")); }).kind(), ErrorKind::interrupt);
  clear_interrupt();
}

TEST_F(StoreTest, NamesKindAndKey_OfAHandleThatItLacks) {
  const auto error = error_of([&] { Store(folder_ / "store").get("train", "0123"); });
  EXPECT_EQ(error.kind(), ErrorKind::data);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("train"), HasSubstr("0123")));
}

TEST_F(StoreTest, TouchesNothing_WhenOpenedForReading) {
  Store store(folder_ / "store", Store::Access::read);
  EXPECT_FALSE(store.find(key_));
  EXPECT_FALSE(fs::exists(folder_ / "store"));
}

}  // namespace
}  // namespace tsrun
