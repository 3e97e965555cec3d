#include "support/errors.h"
#include "support/temporary_folder.h"
#include "tsrun/checkpoint/folder.h"

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryFolder;

class Hub : public ::testing::Test {
 protected:
  Hub() {
    for (const char* name : {"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"}) unsetenv(name);
    setenv("HF_HUB_CACHE", cache.path().c_str(), 1);
    cache.write("models--org--small-bert/refs/main", "abc123\n");
    cache.write("models--org--small-bert/refs/pr/1", "def456");
    cache.write("models--org--small-bert/snapshots/abc123/config.json", "{}");
    cache.write("models--org--small-bert/snapshots/def456/config.json", "{}");
    cache.write("models--gpt2/refs/main", "abc");
  }
  static std::string refusal(const std::string& specification) {
    return message_of(ErrorKind::data, [&] { resolve_model_folder(specification); });
  }
  TemporaryFolder cache;
};

TEST_F(Hub, FindsMainRevisionsAndCommits) {
  const auto snapshots = cache / "models--org--small-bert/snapshots";
  EXPECT_EQ(resolve_model_folder("hf:org/small-bert"), snapshots / "abc123");
  EXPECT_EQ(resolve_model_folder("hf:org/small-bert@main"), snapshots / "abc123");
  EXPECT_EQ(resolve_model_folder("hf:org/small-bert@pr/1"), snapshots / "def456");
  EXPECT_EQ(resolve_model_folder("hf:org/small-bert@def456"), snapshots / "def456");
}

TEST_F(Hub, LooksWhereTheEnvironmentSays) {
  const TemporaryFolder home;
  home.write("hub/models--a--b/refs/main", "c");
  home.write("hub/models--a--b/snapshots/c/config.json", "{}");
  home.write("huggingface/hub/models--a--b/refs/main", "d");
  home.write("huggingface/hub/models--a--b/snapshots/d/config.json", "{}");
  unsetenv("HF_HUB_CACHE");
  setenv("XDG_CACHE_HOME", home.path().c_str(), 1);
  EXPECT_EQ(resolve_model_folder("hf:a/b").filename(), "d");
  setenv("HF_HOME", home.path().c_str(), 1);
  EXPECT_EQ(resolve_model_folder("hf:a/b").filename(), "c");
}

TEST_F(Hub, SuggestsTheNearRepository) {
  EXPECT_THAT(refusal("hf:org/smal-bert"),
              AllOf(HasSubstr("did you mean 'org/small-bert'?"), HasSubstr(cache.path().string()), HasSubstr("gpt2")));
  EXPECT_THAT(refusal("org/small-bert"), HasSubstr("did you mean 'hf:org/small-bert'?"));
}

TEST_F(Hub, NamesAMissingRevision) {
  EXPECT_THAT(refusal("hf:org/small-bert@abc124"), AllOf(HasSubstr("no such revision"), HasSubstr("did you mean 'abc123'?")));
  EXPECT_THAT(refusal("hf:gpt2"), HasSubstr("no such revision"));  // its commit was never downloaded
}

TEST_F(Hub, RefusesNamesThatAreNone) {
  for (const auto* name : {"hf:", "hf:a/b/c", "hf:../x", "hf:/x", "hf:x/", "hf:a b", "hf:org/small-bert@", "hf:org/small-bert@../../x",
                           "hf:org/small-bert@/etc"}) {
    EXPECT_THAT(refusal(name), HasSubstr("expected hf:<organisation>/<name>")) << name;
  }
}

TEST_F(Hub, TakesFoldersAsTheyAre) {
  EXPECT_EQ(resolve_model_folder(cache.path().string()), cache.path());
  EXPECT_THAT(refusal((cache / "nowhere").string()), HasSubstr("no such folder"));
  EXPECT_THAT(refusal((cache / "models--gpt2/refs/main").string()), HasSubstr("is a file, expected a model folder"));
}

}  // namespace
}  // namespace tsrun
