#include "experiment/artifacts.h"

#include "experiment/training_ref.h"
#include "support/folder_test.h"

#include <gmock/gmock.h>

/// Handles as JSON and as types: the same fields there and back, and nothing passes that is not whole.
namespace tsrun::experiment {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

const json kTask = {{"artifact", "task"},
                    {"key", "t"},
                    {"name", "rte"},
                    {"spec", "builtin:rte"},
                    {"as", "itself"},
                    {"metric", "accuracy"},
                    {"kind", "classification"},
                    {"splits", {{"train", {{"rows", 20}, {"majority_score", 0.5}}}}}};
const json kModel = {{"artifact", "model"},
                     {"key", "m"},
                     {"spec", "bert"},
                     {"path", "/models/bert"},
                     {"content", "c"},
                     {"layers", 2},
                     {"defaults", {{"lr", 1e-3}, {"lr_head", 1e-2}, {"epochs", 8}}}};
const json kDelta = {{"method", "lora"}, {"version", 2}, {"options", {{"r", 4}, {"targets", json::array()}}}, {"seed", 5}};
const json kScores = {{"score", 0.25}, {"loss", 1.5}};

json adapted_model() {
  json model = kModel;
  model["deltas"] = {kDelta};
  model["matches"] = {{{"method", "lora"}, {"pattern", "query"}, {"module", "layer.0.query"}, {"numbers", 64}}};
  model["delta_parameters"] = 64;
  return model;
}

json training(const json& start = nullptr) {
  json handle = {{"artifact", "train"}, {"key", "r"},      {"task", kTask},   {"model", adapted_model()}, {"seed", 3},
                 {"keep", "last"},      {"best", kScores}, {"last", kScores}, {"trainable", 64}};
  handle["binding"] = {{"subspace", {{"dims", {2, 3}}}}};
  handle["subspace"] = {{"artifact", "subspace"}, {"key", "b"}, {"stage", "joint"}, {"inside", "members/lora"}};
  handle["trajectory"] = {{"artifact", "trajectory"}, {"key", "r"}, {"stage", "train"}, {"model", kModel}};
  if (!start.is_null()) handle["start"] = start;
  return handle;
}

json from_another() { return training({{"fresh", false}, {"origin", {{"solution", training()}, {"which", "mean"}, {"parts", {"head"}}}}}); }

json basis() {
  return {{"artifact", "subspace"}, {"key", "b"}, {"method", "svd"}, {"member", "lora"}, {"dim", 5}, {"model", kModel}, {"bytes", 7}};
}

template <class Ref>
void expect_same_handle(const json& handle) {
  EXPECT_EQ(Ref::from_json(handle).to_json(), handle);
}

TEST(Handles, AreTheSame_ThereAndBack) {
  expect_same_handle<TaskRef>(kTask);
  expect_same_handle<ModelRef>(kModel);
  expect_same_handle<ModelRef>(adapted_model());
  expect_same_handle<TrajectoryRef>({{"artifact", "trajectory"}, {"key", "j"}, {"points", 3}});
  expect_same_handle<BasisRef>(basis());
  json known = basis();
  known["trajectory"] = {{"artifact", "trajectory"}, {"key", "j"}, {"rests_on", {{"r", 12}}}};
  expect_same_handle<BasisRef>(known);
  json resting = training();
  resting.update({{"rests_on", {{"r", 12}, {"s", 3}}}, {"steps_before", 15}});
  expect_same_handle<TrainingRef>(resting);
  expect_same_handle<ScopeRef>({{"artifact", "scope"}, {"key", "s"}, {"method", "last_layers"}, {"trained", 9}, {"planned", true}});
  expect_same_handle<TrainingRef>(training());
  expect_same_handle<TrainingRef>(from_another());
  expect_same_handle<TrainingRef>(training({{"fresh", false}, {"origin", nullptr}, {"reinit_layers", 2}}));
  expect_same_handle<MaskRef>(
      {{"artifact", "mask"}, {"key", "k"}, {"solution", from_another()}, {"parameters", {{"parts", {"encoder"}}}}, {"count", 4}});
}

TEST(Handles, AreKeyedByKindKeyAndPlace) {
  EXPECT_EQ(BasisRef::from_json(basis()).identity(), json({{"artifact", "subspace"}, {"key", "b"}}));
  const json place = training().at("subspace");
  EXPECT_EQ(TrainingRef::from_json(training()).subspace->identity(), place);
  EXPECT_EQ(TrainingRef::from_json(from_another()).origin->identity().at("solution"), json({{"artifact", "train"}, {"key", "r"}}));
}

TEST(TrainingRef, HoldsWhatItsHandleSays) {
  const TrainingRef run = TrainingRef::from_json(from_another());
  EXPECT_EQ(run.seed, 3);
  EXPECT_EQ(run.task.metric, "accuracy");
  EXPECT_EQ(run.task.splits.at("train").rows, 20);
  EXPECT_EQ(run.model.defaults.epochs, 8);
  EXPECT_EQ(run.model.deltas.at(0).options.integer("r"), 4);
  EXPECT_EQ(run.model.deltas.at(0).seed, 5U);
  EXPECT_EQ(run.model.modules->at(0).module, "layer.0.query");
  EXPECT_EQ(run.score("best"), 0.25);
  EXPECT_EQ(run.coordinates, 5);
  EXPECT_EQ(run.trajectory->model->spec, "bert");
  EXPECT_EQ(run.origin->which, "mean");
  EXPECT_EQ(run.origin->solutions.front()->key, "r");
}

TEST(TrainingRef, KeptWhatItsOptionSays) {
  TrainingRef run = TrainingRef::from_json(training());
  EXPECT_TRUE(run.kept("last"));
  EXPECT_FALSE(run.kept("best"));
  run.keep = "none";
  EXPECT_FALSE(run.kept("last"));
}

/// Every field is taken away, and given another type.
template <class Ref>
void expect_refused(const json& handle, const char* kind, std::initializer_list<const char*> fields) {
  for (const char* name : fields) {
    json broken = handle;
    broken.erase(name);
    const Error missing = error_of([&] { Ref::from_json(broken); });
    EXPECT_EQ(missing.kind(), ErrorKind::internal) << name;
    EXPECT_THAT(missing.what(), AllOf(HasSubstr("'" + std::string(kind) + "'"), HasSubstr(name)));
    broken[name] = true;
    EXPECT_EQ(error_of([&] { Ref::from_json(broken); }).kind(), ErrorKind::internal) << name;
  }
}

TEST(Handles, AreABugOfOurs_WhenAFieldIsMissingOrOfAnotherType) {
  expect_refused<TaskRef>(kTask, "task", {"key", "name", "spec", "as", "metric", "splits"});
  expect_refused<ModelRef>(kModel, "model", {"key", "spec", "defaults"});
  expect_refused<BasisRef>(basis(), "subspace", {"key", "method", "dim", "model"});
  expect_refused<ScopeRef>({{"artifact", "scope"}, {"key", "s"}, {"method", "last_layers"}}, "scope", {"key", "method"});
  expect_refused<TrainingRef>(training(), "train", {"key", "task", "model", "seed", "keep", "best", "last"});
  expect_refused<MaskRef>({{"artifact", "mask"}, {"key", "k"}, {"solution", training()}, {"parameters", json::object()}}, "mask",
                          {"key", "solution"});
}

TEST(Handles, AreABugOfOurs_WhenWhatTheyHoldIsIncomplete) {
  json handle = from_another();
  handle["start"]["origin"]["solution"]["model"]["deltas"][0].erase("options");
  EXPECT_THAT(error_of([&] { TrainingRef::from_json(handle); }).what(), HasSubstr("a handle of kind 'delta' lacks 'options'"));
}

TEST(TaskRef, RefusesNumbersThatWouldBeRounded) {
  json handle = kTask;
  handle["splits"]["train"]["rows"] = 1.5;
  EXPECT_THAT(error_of([&] { TaskRef::from_json(handle); }).what(), HasSubstr("'rows'"));
}

TEST(ModelRef, HasNoFolder_WhileItIsPlanned) {
  json planned = kModel;
  planned.erase("path");
  const ModelRef model = ModelRef::from_json(planned);
  EXPECT_FALSE(model.adapted());
  EXPECT_EQ(error_of([&] { (void)model.folder(); }).kind(), ErrorKind::internal);
}

}  // namespace
}  // namespace tsrun::experiment
