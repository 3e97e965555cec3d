#include "experiment/artifacts.h"

#include "support/folder_test.h"

#include <gmock/gmock.h>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

const json kTask = {{"artifact", "task"}, {"key", "t"}, {"name", "rte"}, {"spec", "builtin:rte"}, {"metric", "accuracy"}};
const json kModel = {{"artifact", "model"}, {"key", "m"}, {"spec", "bert"}};
const json kRun = {{"artifact", "train"}, {"key", "r"}, {"task", kTask}, {"model", kModel}, {"seed", 3}, {"keep", "last"}};

TEST(Run, HoldsWhatItsHandleSays) {
  const tsrun::Run run = tsrun::Run::from_json(kRun);
  EXPECT_EQ(run.key, "r");
  EXPECT_EQ(run.seed, 3);
  EXPECT_EQ(run.keep, "last");
  EXPECT_EQ(run.task.metric, "accuracy");
  EXPECT_EQ(run.model.spec, "bert");
  EXPECT_EQ(run.task_handle, kTask);
  EXPECT_EQ(run.model_handle, kModel);
}

TEST(Run, IsABugOfOurs_WhenAFieldIsMissing) {
  for (const char* name : {"key", "task", "model", "seed", "keep"}) {
    json handle = kRun;
    handle.erase(name);
    const Error error = error_of([&] { tsrun::Run::from_json(handle); });
    EXPECT_EQ(error.kind(), ErrorKind::internal) << name;
    EXPECT_THAT(error.what(), AllOf(HasSubstr("'train'"), HasSubstr(name)));
  }
}

TEST(Run, IsABugOfOurs_WhenItsModelIsIncomplete) {
  json handle = kRun;
  handle["model"].erase("spec");
  EXPECT_THAT(error_of([&] { tsrun::Run::from_json(handle); }).what(), HasSubstr("a handle of kind 'model' lacks 'spec'"));
}

TEST(TaskRef, IsABugOfOurs_WhenAFieldHasAnotherType) {
  json handle = kTask;
  handle["metric"] = 1;
  const Error error = error_of([&] { TaskRef::from_json(handle); });
  EXPECT_EQ(error.kind(), ErrorKind::internal);
  EXPECT_THAT(error.what(), HasSubstr("'metric'"));
}

TEST(ModelRef, HasNoDeltas_UnlessItsHandleHas) {
  EXPECT_TRUE(ModelRef::from_json(kModel).deltas.empty());
  json adapted = kModel;
  adapted["deltas"] = {{{"method", "lora"}}};
  EXPECT_EQ(ModelRef::from_json(adapted).deltas.size(), 1U);
}

}  // namespace
}  // namespace tsrun
