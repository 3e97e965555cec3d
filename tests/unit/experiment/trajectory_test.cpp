#include "tsrun/tune/trajectory.h"

#include "base/fault.h"
#include "support/folder_test.h"
#include "tsrun/base/operators.h"
#include "tsrun/experiment/lab.h"
#include "tsrun/model/model.h"
#include "tsrun/tune/parameter_set.h"
#include "unit/train/toy.h"

#include <gmock/gmock.h>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// Trainings of one small model on two tasks.
class Solutions : public FolderTest {
 protected:
  void SetUp() override {
    save_model(toy::tiny_bert(), folder_ / "bert");
    save_task(toy::sentiment(16, 8), folder_ / "task");
    save_task(toy::sentiment(24, 8), folder_ / "other");
  }
  json model(json deltas = {}) {
    const json plain = lab().call("model", {{"spec", (folder_ / "bert").string()}});
    if (deltas.is_null()) return plain;
    deltas["model"] = plain;
    return lab().call("adapt", deltas);
  }
  json trained(const char* task, json options = json::object()) {
    json all = {{"model", model()}, {"max_length", 24}, {"max_steps", 3}, {"keep", "last"}, {"lr", 0.01}};
    all["task"] = lab().call("task", {{"spec", (folder_ / task).string()}});
    all.update(options);
    return lab().call("train", all);
  }
  std::filesystem::path place(const json& handle) { return lab().store().get(handle.at("artifact"), handle.at("key")).path; }
  Trajectory opened(const json& options) { return Trajectory::open(place(lab().call("trajectory", options))); }
  at::Tensor update(const json& solution, const Trajectory& path, const char* which = "last") {
    const Weights weights = load_weights(place(solution) / (std::string(which) + ".safetensors"), *toy::tiny_bert().family);
    return flatten(weights, path.layout()) - origin(path);
  }
  at::Tensor origin(const Trajectory& path) {
    const auto values = path.origin();
    return at::from_blob(const_cast<float*>(values.data()), {path.layout().total()}, at::kFloat).clone();
  }
  at::Tensor row(const Trajectory& path, size_t index) {
    const Rows rows = path.differences();
    return at::from_blob(const_cast<void*>(rows.data.at(index)), {rows.columns}, at::kFloat).clone();
  }
  std::string failure(const json& options) {
    const Error error = error_of([&] { lab().call("trajectory", options); });
    EXPECT_EQ(error.kind(), ErrorKind::user);
    return error.what();
  }
  void use(const LabSettings& settings) { lab_ = std::make_unique<Lab>(settings); }
  Lab& lab() {
    if (!lab_) {
      LabSettings settings;
      settings.store = folder_ / "store";
      use(settings);
    }
    return *lab_;
  }

 private:
  std::unique_ptr<Lab> lab_;
};

TEST_F(Solutions, OfSeveralTasksAreThePointsOfATrajectory) {
  const json first = trained("task"), second = trained("other");
  const Trajectory path = opened({{"solutions", {first, second}}});
  ASSERT_EQ(path.size(), 2);
  EXPECT_TRUE(at::equal(row(path, 0), update(first, path)));
  EXPECT_TRUE(at::equal(row(path, 1), update(second, path)));
  EXPECT_FALSE(at::equal(row(path, 0), row(path, 1)));
  const json basis = lab().call(
      "discover",
      {{"method", "trajectory_svd"}, {"variant", "delta"}, {"trajectory", lab().call("trajectory", {{"solutions", {first, second}}})}});
  EXPECT_EQ(basis.at("trajectory").at("rests_on"), json({{first.at("key"), 3}, {second.at("key"), 3}}));
  EXPECT_EQ(basis.at("dims"), json({2, 2}));  // a direction for each task in either layer
}

TEST_F(Solutions, KeepTheirNumbersWithinEachTensor_WhenShuffled) {
  const json first = trained("task");
  const Trajectory path = opened({{"solutions", {first}}}), shuffled = opened({{"solutions", {first}}, {"shuffled", 5}}),
                   other = opened({{"solutions", {first}}, {"shuffled", 6}});
  EXPECT_FALSE(at::equal(row(shuffled, 0), row(other, 0)));
  for (const Slice& slice : path.layout().slices()) {
    const auto sorted = [&](const Trajectory& of) { return std::get<0>(row(of, 0).narrow(0, slice.offset, slice.size).sort()); };
    EXPECT_TRUE(at::allclose(sorted(path), sorted(shuffled), 1e-5, 1e-7)) << slice.name;
  }
  EXPECT_FALSE(at::allclose(row(path, 0), row(shuffled, 0), 1e-3, 1e-5));
}

TEST_F(Solutions, OfATrajectoryMoveTogether_WhenItIsShuffled) {
  const json both = lab().call("trajectory", {{"solutions", {trained("task"), trained("other")}}});
  const json null = lab().call("trajectory", {{"of", both}, {"shuffled", 5}});
  EXPECT_EQ(null.at("rests_on"), both.at("rests_on"));
  EXPECT_EQ(null.at("points"), 2);
  const Trajectory path = opened({{"solutions", {trained("task"), trained("other")}}}), shuffled = opened({{"of", both}, {"shuffled", 5}});
  EXPECT_FALSE(at::allclose(row(path, 0), row(shuffled, 0), 1e-3, 1e-5));
  for (const Slice& slice : path.layout().slices()) {
    const auto of_tensor = [&](const Trajectory& of, int64_t i) { return row(of, i).narrow(0, slice.offset, slice.size).to(at::kDouble); };
    const auto product = [&](const Trajectory& of) { return of_tensor(of, 0).dot(of_tensor(of, 1)).item<double>(); };
    EXPECT_NEAR(product(path), product(shuffled), 1e-6 + 1e-3 * std::abs(product(path))) << slice.name;
    for (const int64_t i : {0, 1})
      EXPECT_TRUE(at::allclose(std::get<0>(of_tensor(path, i).sort()), std::get<0>(of_tensor(shuffled, i).sort()), 1e-5, 1e-7))
          << slice.name;
  }
  EXPECT_THAT(failure({{"of", both}}), HasSubstr("'shuffled' is missing"));
  EXPECT_THAT(failure({{"of", both}, {"shuffled", 5}, {"which", "best"}}), HasSubstr("'which' and 'of' are both given"));
  EXPECT_THAT(failure({{"of", both}, {"shuffled", 5}, {"parameters", {{"parts", "head"}}}}), HasSubstr("parameters of its own"));
}

TEST_F(Solutions, WithADeltaArePointsOfThePlainModel) {
  const json adapted = model({{"method", "lora"}, {"r", 2}, {"seed", 1}});
  const json solution = trained("task", {{"model", adapted}});
  EXPECT_THAT(failure({{"solutions", {solution}}}), HasSubstr("give the plain model"));
  EXPECT_THAT(failure({{"solutions", {solution}}, {"model", adapted}}), HasSubstr("an adapted"));
  const Trajectory path = opened({{"solutions", {solution}}, {"model", model()}});
  const at::Tensor moved = row(path, 0);
  for (const Slice& slice : path.layout().slices()) {
    const bool adapts = slice.name.find("query.weight") != std::string::npos || slice.name.find("value.weight") != std::string::npos;
    EXPECT_EQ(moved.narrow(0, slice.offset, slice.size).any().item<bool>(), adapts) << slice.name;
  }
}

TEST_F(Solutions, ThatShareNoOriginAreUserErrors) {
  const json first = trained("task");
  EXPECT_THAT(failure({{"solutions", {first, trained("task", {{"fresh", true}})}}}), HasSubstr("no common origin"));
  EXPECT_THAT(failure({{"solutions", {first, trained("task", {{"keep", "none"}, {"seed", 2}})}}}), HasSubstr("keep = \"last\""));
  EXPECT_THAT(failure({{"solutions", json::array()}}), HasSubstr("is empty"));
  EXPECT_THAT(failure({{"solutions", {first}}, {"origin", "x"}}), HasSubstr("both given"));
  EXPECT_THAT(failure({{"shuffled", 1}, {"origin", "x"}, {"checkpoints", {"y"}}}), HasSubstr("belongs to 'solutions'"));
  EXPECT_THAT(failure({{"origin", "x"}}), HasSubstr("'checkpoints' is missing"));
}

TEST_F(Solutions, AreAnOriginAtTheirMean) {
  const json first = trained("task"), second = trained("other");
  const json start = {{"solutions", {first, second}}, {"parts", {"encoder"}}};
  const json from_mean = trained("task", {{"origin", start}, {"train", {"head"}}});
  const Trajectory path = opened({{"solutions", {first, second}}});
  const at::Tensor mean = (row(path, 0) + row(path, 1)) / 2;
  EXPECT_TRUE(at::allclose(update(from_mean, path), mean, 1e-4, 1e-6));
  const Error error = error_of([&] { trained("task", {{"origin", {{"parts", {"encoder"}}}}}); });
  EXPECT_THAT(error.what(), HasSubstr("either 'solution' or 'solutions'"));
}

/// A training that records every step and has checkpoints behind steps 2 and 4 of 5.
class Recorded : public Solutions {
 protected:
  ~Recorded() override { base::set_write_fault(base::Fault::none, 0); }
  json recorded(const char* store) {
    LabSettings settings;
    settings.store = folder_ / store;
    use(settings);
    return trained("task", {{"max_steps", 5}, {"checkpoint_every", 2}, {"record", {{"every", 1}}}});
  }
  /// Durable operations of an undisturbed training. The last two rename the artifact and sync its parent.
  int64_t undisturbed() {
    base::set_write_fault(base::Fault::none, 0);
    key_ = recorded("calm").at("key").get<std::string>();
    return base::durable_operations();
  }
  /// The disk is full from operation `at` on, and has room again behind the failure.
  void fail(const char* store, int64_t at) {
    base::set_write_fault(base::Fault::disk_full, at);
    EXPECT_EQ(error_of([&] { recorded(store); }).kind(), ErrorKind::run);
    base::set_write_fault(base::Fault::none, 0);
    EXPECT_TRUE(std::filesystem::exists(work(store) / "trajectory/trajectory.json"));
  }
  std::filesystem::path work(const char* store) const { return folder_ / store / "work" / key_; }
  void expect_the_undisturbed_files(const char* store) {
    const std::filesystem::path calm = folder_ / "calm/objects/train" / key_, here = folder_ / store / "objects/train" / key_;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(calm)) {
      const std::string name = std::filesystem::relative(entry.path(), calm).string();
      if (entry.is_directory() || name == "artifact.json" || name == "manifest.json") continue;  // times
      EXPECT_TRUE(std::filesystem::exists(here / name) && toy::bytes_of(here / name) == toy::bytes_of(entry.path())) << name;
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder_ / store / "work"));
  }

 private:
  std::string key_;
};

TEST_F(Recorded, GoesOnAtItsCheckpoint_WhenTheDiskFillsUpInTheCommit) {
  const int64_t all = undisturbed();
  const char* const stores[] = {"renaming", "syncing"};
  const int64_t places[] = {all - 1, all - 12};
  for (size_t i = 0; i < 2; ++i) {
    fail(stores[i], places[i]);
    recorded(stores[i]);
    EXPECT_LT(base::durable_operations(), 3 * all / 4) << "it started over";
    expect_the_undisturbed_files(stores[i]);
  }
}

TEST_F(Recorded, StartsOver_WhenItsWorkHasLostTheTrajectory) {
  fail("lost", undisturbed() - 1);
  std::filesystem::remove_all(work("lost") / "trajectory");
  recorded("lost");
  expect_the_undisturbed_files("lost");
}

}  // namespace
}  // namespace tsrun
