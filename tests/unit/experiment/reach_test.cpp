#include "unit/experiment/laboratory.h"

/// Learning rates of coordinates by the distance that they must travel, and the steps that a result rests on.
namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ReachOfATraining : public LaboratoryTest {
 protected:
  ReachOfATraining() : LaboratoryTest(16) {
    full_ = train({{"record", {{"every", "epoch"}}}, {"keep", "last"}, {"epochs", 2}, {"lr", 0.01}});
  }
  json train(json options) {
    options["batch_size"] = 8;
    if (!options.contains("epochs")) options["epochs"] = 1;
    return trained(options);
  }
  json own_basis() { return lab_->call("discover", {{"method", "trajectory_svd"}, {"trajectory", full_["trajectory"]}, {"dim", 2}}); }
  json random_basis() { return lab_->call("discover", {{"method", "random_projection"}, {"model", model()}, {"dim", 4}, {"seed", 1}}); }
  json within(const json& basis, json tune, json options = json::object()) {
    tune["subspace"] = basis;
    options["tune"] = tune;
    return train(options);
  }
  std::string refusal(const json& basis, const json& tune, const json& options = json::object()) {
    return mistake([&] { within(basis, tune, options); });
  }
  json full_;
};

TEST_F(ReachOfATraining, IsTheWayToTheTrajectorysUpdate_ForItsOwnBasis) {
  const json reaching = within(own_basis(), {{"lr", "reach"}});
  EXPECT_NEAR(reaching["reach_share"].get<double>(), 1, 1e-9);
  EXPECT_NEAR(within(own_basis(), {{"lr", "reach"}, {"reach", 3}})["reach_share"].get<double>(), 3, 1e-9);
  const json fixed = within(own_basis(), {{"lr", 1e-4}});
  const double way = 1e-4 * (1 + 0.5);  // two steps of a linear schedule
  EXPECT_NEAR(fixed["reach"][0]["way"].get<double>(), way, 1e-9);
  EXPECT_LT(fixed["reach_share"].get<double>(), 1);
  EXPECT_EQ(fixed["reach"][0]["distance"], reaching["reach"][0]["distance"]);
}

TEST_F(ReachOfATraining, SpreadsALengthOverRandomCoordinates) {
  const json by_length = within(random_basis(), {{"lr", "reach"}, {"reach_of", 3.0}});
  for (const json& group : by_length["reach"]) EXPECT_NEAR(group["distance"].get<double>(), 3 / std::sqrt(4.0), 1e-3);
  const json by_update = within(random_basis(), {{"lr", "reach"}, {"reach_of", full_["trajectory"]}});
  const json groups = own_basis()["groups"];
  for (size_t g = 0; g < groups.size(); ++g)
    EXPECT_NEAR(by_update["reach"][g]["distance"].get<double>(), groups[g]["update_length"].get<double>() / 2, 1e-3);
  EXPECT_FALSE(within(random_basis(), {{"lr", 0.01}}).contains("reach_share")) << "nobody said what is to be reached";
}

TEST_F(ReachOfATraining, IsRefused_WhereNothingIsToBeReached_OrNothingBoundsAStep) {
  EXPECT_THAT(refusal(random_basis(), {{"lr", "reach"}}),
              AllOf(HasSubstr("no trajectory is behind a basis of 'random_projection'"), HasSubstr("'reach_of'")));
  EXPECT_THAT(refusal(own_basis(), {{"lr", "raech"}}),
              HasSubstr("option 'lr' is 'raech', expected a number or \"reach\" (did you mean 'reach'?)"));
  EXPECT_THAT(refusal(own_basis(), {{"lr", 0.1}, {"reach", 2}}), HasSubstr("nothing reads option 'reach'"));
  EXPECT_THAT(refusal(own_basis(), {{"lr", "reach"}, {"reach_of", full_}}),
              HasSubstr("an artifact of kind train, expected a trajectory or a length"));
  EXPECT_THAT(refusal(own_basis(), {{"lr", "reach"}, {"reach_of", 0}}), HasSubstr("expected a length above 0"));
  EXPECT_THAT(refusal(own_basis(), {{"lr", "reach"}}, {{"optim", "sgd"}}), HasSubstr("found optim = \"sgd\""));
  const json other = train({{"record", {{"every", "epoch"}, {"parameters", {{"parts", {"head"}}}}}}, {"keep", "none"}});
  EXPECT_THAT(refusal(random_basis(), {{"lr", "reach"}, {"reach_of", other["trajectory"]}}), HasSubstr("recorded over other parameters"));
}

TEST_F(ReachOfATraining, RestsOnTheStepsOfItsTrajectory_CountedOnce) {
  EXPECT_EQ(full_["steps"], 4);
  EXPECT_FALSE(full_.contains("steps_before"));
  const json inside = within(own_basis(), {{"lr", "reach"}});
  EXPECT_EQ(inside["steps"], 2);
  EXPECT_EQ(inside["steps_before"], 4);
  EXPECT_EQ(within(random_basis(), {{"lr", "reach"}, {"reach_of", full_["trajectory"]}})["steps_before"], 4);
  EXPECT_FALSE(within(random_basis(), {{"lr", 0.01}}).contains("steps_before"));
  const json held = lab_->call("evaluate", {{"solution", full_}, {"project", own_basis()}});
  EXPECT_EQ(held["steps_before"], 4) << "solution and basis are of one training";
  EXPECT_EQ(lab_->call("decode", {{"basis", own_basis()}, {"z", inside}, {"model", model()}, {"task", task()}})["steps_before"], 6);
  const json on = train({{"origin", {{"solution", full_}, {"parts", {"head"}}}}});
  EXPECT_EQ(on["steps_before"], 4);
}

}  // namespace
}  // namespace tsrun
