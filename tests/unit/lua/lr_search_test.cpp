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

  static std::string search(const std::string& rates, int widen = 0) {
    return "local ts = require 'ts'\n"
           "local found = ts.lr_search { lr = " +
           rates + ", widen = " + std::to_string(widen) +
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

TEST_F(LrSearchTest, GrowsAListAtTheEndThatWasPicked) {
  run(search("{ 0.01, 0.03 }"));
  EXPECT_EQ(kept_[0]["picked"], "lr 0.03");
  EXPECT_THAT(kept_[0]["note"], HasSubstr("lr 0.03 is the highest of its list: a better one may lie beyond (widen looks there)"));
  run(search("{ 0.01, 0.03 }", 1));
  EXPECT_EQ(kept_[1]["picked"], "lr 0.09");
  EXPECT_THAT(kept_[1]["note"], HasSubstr("lr 0.09 is the highest of its list"));
  run(search("{ 0.03, 0.01 }", 5));
  EXPECT_EQ(kept_[2]["picked"], "lr 0.09");
  EXPECT_EQ(kept_[2]["trainings"], 8) << "0.27 was worse, so the list ends there; nothing is trained twice";
  EXPECT_THAT(kept_[2]["note"], ::testing::Not(HasSubstr("may lie beyond")));
  run(search("{ 0.4, 0.2 }", 5));
  EXPECT_EQ(kept_[3]["picked"], "lr 0.1") << "downwards too";
}

TEST_F(LrSearchTest, KeepsItsPick_WhereAllBeyondItDiverge) {
  run(search("{ 0.045, 0.15 }", 1));
  EXPECT_EQ(kept_[0]["picked"], "lr 0.15");
  EXPECT_EQ(kept_[0]["count"], 1) << "0.5 diverges with seed 2";
}

TEST_F(LrSearchTest, GrowsNothing_InAPlan) {
  plan_only_ = true;
  run(search("{ 0.01, 0.03 }", 5));
  EXPECT_EQ(kept_[0]["trainings"], 4);
}

TEST_F(LrSearchTest, GrowsEveryAxisOfAGrid) {
  run(R"(local ts = require 'ts'
    local count = 0
    local function run(rates, seed)
      count = count + 1
      return ts.fit { lr = math.abs(rates.lr - rates.lr_head), seed = seed }  -- best where they differ by 0.1
    end
    local found = ts.lr_search { lr = { 0.01, 0.02 }, lr_head = { 0.04, 0.08 }, seeds = { 1 }, widen = 1, run = run }
    ts.keep { rates = found.rates, count = count })");
  EXPECT_NEAR(kept_[0]["rates"]["lr"].get<double>(), 0.005, 1e-12) << "0.08 - 0.005 is nearer to 0.1 than 0.08 - 0.01 and 0.16 - 0.02";
  EXPECT_NEAR(kept_[0]["rates"]["lr_head"].get<double>(), 0.08, 1e-12);
  EXPECT_EQ(kept_[0]["count"], 9);
}

TEST_F(LrSearchTest, RefusesToGrowLessThanNever) {
  EXPECT_THAT(failure(search("{ 0.1 }", -1)).what(), HasSubstr("recipe.lua:2: lr_search: widen is -1, expected an integer from 0 on"));
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
