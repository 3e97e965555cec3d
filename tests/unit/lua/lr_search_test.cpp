#include "tsrun/base/error.h"
#include "tsrun/train/diverged.h"
#include "unit/lua/fixture.h"

namespace tsrun {
namespace {

/// ts.fit{ lr, seed }: a training of 10 steps that scores best at 0.1, and diverges in step 4 from a rate of 1 on, with seed 2 from 0.5 on.
class LrSearchTest : public RecipeTest {
 protected:
  LrSearchTest() {
    Operation fit;
    fit.name = "fit";
    fit.doc = "Trains.";
    fit.options = {{.name = "lr", .type = OptionType::number, .doc = "Rate.", .required = true, .minimum = 0},
                   {.name = "seed", .type = OptionType::integer, .doc = "Seed.", .required = true}};
    fit.run = [](Lab& lab, const Options& options) {
      const double lr = options.number("lr");
      const json plan = {{"metric", "accuracy"}, {"last", json::object()}};
      return lab.stage({"fit", options.json()}, "fit", plan, [&](const auto&, const auto&) {
        if (lr == 0) user_error("no rate");
        if (lr >= 1 || (lr >= 0.5 && options.integer("seed") == 2))
          throw Diverged("step 4: the loss is nan", "loss not finite in step 4", 3);
        return json{{"metric", "accuracy"}, {"last", {{"score", 1 - std::abs(lr - 0.1)}}}, {"steps", 10}};
      });
    };
    more_ = {fit};
  }

  static std::string search(const std::string& rates) {
    return "local ts = require 'ts'\n"
           "local found = ts.lr_search { lr = " +
           rates +
           ", seeds = { 1, 2 }, run = function(rates, seed) return ts.fit { lr = rates.lr, seed = seed } end }\n"
           "ts.keep { picked = found.picked, trainings = found.trainings, steps = found.steps, note = found.note, count = #found.diverged "
           "}\n";
  }
};

TEST_F(LrSearchTest, LetsACandidateLose_WhenOneOfItsTrainingsDiverges) {
  run(search("{ 1, 0.5, 0.1, 0.01 }"));
  EXPECT_EQ(kept_[0]["picked"], "lr 0.1");
  EXPECT_EQ(kept_[0]["count"], 3);
  EXPECT_EQ(kept_[0]["trainings"], 8);
  EXPECT_EQ(kept_[0]["steps"], 5 * 10 + 3 * 3) << "steps of diverged trainings were made too";
  EXPECT_THAT(kept_[0]["note"],
              AllOf(HasSubstr("lr 1: loss not finite in step 4 (seed 1)"), HasSubstr("lr 0.5: loss not finite in step 4 (seed 2)")));
  EXPECT_THAT(kept_[0]["note"], ::testing::Not(HasSubstr("may lie beyond"))) << "0.1 is not the highest of its list";
}

TEST_F(LrSearchTest, PicksAsBefore_WhenTheRecipeIsPlanned) {
  plan_only_ = true;
  run(search("{ 1, 0.1 }"));
  EXPECT_EQ(kept_[0]["picked"], "lr 1");
}

TEST_F(LrSearchTest, FailsTheRun_WhenEveryCandidateDiverges) {
  const auto error = failure(search("{ 1, 2 }"));
  EXPECT_EQ(error.kind(), ErrorKind::run);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("recipe.lua:2: lr_search: every candidate diverged: lr 1: loss not finite in step 4 (seed 1)"),
                                  HasSubstr("lr 2: loss not finite in step 4 (seed 2)")));
}

TEST_F(LrSearchTest, ForgivesNoOtherError) {
  const auto error = failure(search("{ 0.1, 0 }"));
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), HasSubstr("recipe.lua:2: fit: no rate"));
  const auto other = failure("local ts = require 'ts'\nts.lr_search { lr = { 1 }, seeds = { 1 }, run = function()\n error('lost') end }");
  EXPECT_EQ(other.kind(), ErrorKind::user);
  EXPECT_THAT(other.what(), HasSubstr("recipe.lua:3: lost"));
  const auto nothing = failure("local ts = require 'ts'\nts.lr_search { lr = { 1 }, seeds = { 1 }, run = function() end }");
  EXPECT_THAT(nothing.what(), HasSubstr("recipe.lua:2: lr_search: run of lr 1 returned a nil, expected a result of ts.train"));
}

TEST_F(LrSearchTest, ForgivesASearch_WhoseCandidatesAllDiverge_InAnOuterOne) {
  run(R"(local ts = require 'ts'
    local found = ts.lr_search { lr = { 1, 0.1 }, seeds = { 1 }, run = function(outer, seed)
      local inner = ts.lr_search { lr = { outer.lr, 2 * outer.lr }, seeds = { seed }, run = function(rates) return ts.fit { lr = rates.lr, seed = seed } end }
      return ts.fit { lr = inner.rates.lr, seed = seed }
    end }
    ts.keep { picked = found.picked, note = found.note })");
  EXPECT_EQ(kept_[0]["picked"], "lr 0.1");
  EXPECT_THAT(kept_[0]["note"], HasSubstr("lr 1: every candidate diverged: lr 1: loss"));
}

}  // namespace
}  // namespace tsrun
