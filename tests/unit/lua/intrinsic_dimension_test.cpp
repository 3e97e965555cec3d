#include "unit/lua/fixture.h"

#include "tsrun/base/files.h"

namespace tsrun {
namespace {

/// The search over a made-up laboratory: a training within d coordinates at rate r and head's rate h scores score(d, r, h), or diverges
/// where that is nil; full fine-tuning scores 1, or full_score(r, h); a frozen encoder score(0, nil, h). `trained` counts trainings, each
/// once, and `given` lists what they were asked.
constexpr const char* kLaboratory = R"(
  local trained, tried, given, known = 0, {}, {}, {}
  local function count(o, d)
    local key = ("%s %s %s %s %s %s"):format(d, o.tune and o.tune.rate, o.lr, o.lr_head, o.seed, o.record and "recorded")
    if not known[key] then trained = trained + 1 end
    known[key] = true
  end
  local lab = {
    seeds = function(n) local list = {} for i = 1, n do list[i] = i end return list end,
    every = function(n) return { every = n } end,
    within = function(basis, options)
      return { d = basis.dim, rate = options.reach or options.lr, lr = options.lr, reach_of = options.reach_of, options = options }
    end,
    discover = function(_, options) return { dim = options.dim, parameters = options.parameters, trajectory = options.trajectory } end,
    train = function(o)
      local d = o.tune and o.tune.d or o.train and 0
      count(o, d)
      given[#given + 1] = o
      local evaluations = { { train_loss = 9 }, { train_loss = d and 1 / (1 + d) or 0.25 } }
      if not d then
        local reached = full_score and full_score(o.lr, o.lr_head) or 1
        return { last = { score = reached }, steps = 32, trajectory = o.record and "way", evaluations = evaluations }
      end
      if o.tune then tried[#tried + 1] = d end
      local reached = score(d, o.tune and o.tune.rate, o.lr_head)
      if not reached then error { diverged = "loss not finite in step 2", steps = 1 } end
      return { last = { score = reached }, evaluations = evaluations }
    end,
    sweep = function(grid, body)
      local list = {}
      for _, rate in ipairs(grid.candidate) do
        for _, seed in ipairs(grid.seed) do list[#list + 1] = body { candidate = rate, seed = seed } end
      end
      return list
    end,
    crossing = function(o)
      local out = { target = o.share, curve = {}, reference = {}, share_reached = 1, violations = {} }
      for i, point in ipairs(o.curve) do
        local value = point.runs[1].last.score
        out.curve[i] = { mean = value }
        if value >= o.share and not out.at then out.at = point.at end
      end
      return out
    end,
  }
  local native = {
    fail = function(text) error(text, 0) end, did_you_mean = function() return "" end,
    higher_is_better = function(metric) return metric ~= "perplexity" end,
    failure = function(err) return type(err) == "table" and err or { message = err } end,
    diverge = function(_, reason, steps) error { diverged = reason, steps = steps } end,
  }
  local shared = common(native)
  chunk(native, lab, shared, candidates(native, lab), checks(native, lab, shared))
  local task = { name = "t", metric = "accuracy", splits = { train = { rows = 100 }, dev = { rows = 10, majority_score = 0.5 } } }
  local function dimension(options)
    options.model, options.task = {}, options.task or task
    return lab.intrinsic_dimension(options), trained, tried, given
  end
)";

class IntrinsicDimensionTest : public RecipeTest {
 protected:
  /// Runs `text` after `before`, where full_score may be defined, and `score`, a Lua function of d, rate and the head's rate.
  void search(const std::string& score, const std::string& text, const std::string& before = "local full_score") {
    run("local ts = require 'ts'\n" + load("chunk", "intrinsic_dimension.lua") + load("candidates", "candidates.lua") +
        load("checks", "intrinsic_dimension_options.lua") + load("common", "common.lua") + before +
        "\nlocal function score(d, rate, head) " + score + " end\n" + kLaboratory + text);
  }

  /// What the search says of `options`, which it refuses.
  std::string refusal(const std::string& options) {
    search("return 1", "local ok, err = pcall(dimension, { method = 'm', " + options + " }) ts.keep { error = ok and '' or err }");
    return kept_.back()["error"];
  }

 private:
  static std::string load(const std::string& name, const std::string& file) {
    const std::string source = read_text(std::filesystem::path(TSRUN_SOURCE_DIR) / "scripts/lua" / file);
    return "local " + name + " = load([==[" + source + "]==])\n";
  }
};

TEST_F(IntrinsicDimensionTest, FindsTheExactDimension_WhenThePrecisionIsZero) {
  for (const int d : {1, 2, 37, 256}) {
    const std::string wanted = std::to_string(d);
    search("return d >= " + wanted + " and 0.95 or 0.2",
           "local r = dimension { method = 'm', d_max = 256, precision = 0, rates = 0.1 } ts.keep { value = r.d90 }");
    EXPECT_EQ(kept_.back()["value"], d);
  }
}

TEST_F(IntrinsicDimensionTest, StopsBisecting_WhenTheBracketIsNarrow) {
  search("return d >= 700 and 1 or 0",
         "local r = dimension { method = 'm', precision = 0.25, past = 0, rates = 0.1 } ts.keep { value = r.d90, below = r.below }");
  EXPECT_GE(kept_[0]["value"], 700);
  EXPECT_LT(kept_[0]["below"], 700);
  EXPECT_LE(kept_[0]["value"].get<int>() - kept_[0]["below"].get<int>(), 0.25 * kept_[0]["value"].get<int>());
}

TEST_F(IntrinsicDimensionTest, SaysThatTheDimensionIsLarger_WhenTheLargestFails) {
  search("return 0.2",
         "local r = dimension { method = 'm', d_max = 100, rates = 0.1 } ts.keep { text = r.text, bracket = r.bracket, d = r.d90 or 0 }");
  EXPECT_EQ(kept_[0]["bracket"], "top");
  EXPECT_EQ(kept_[0]["d"], 0);
  EXPECT_THAT(kept_[0]["text"], StartsWith("> 100"));
}

TEST_F(IntrinsicDimensionTest, SaysThatTheDimensionMayBeSmaller_WhenTheSmallestHolds) {
  search("return 1", "local r = dimension { method = 'm', d_min = 8, rates = 0.1 } ts.keep { text = r.text, bracket = r.bracket }");
  EXPECT_EQ(kept_[0]["bracket"], "bottom");
  EXPECT_THAT(kept_[0]["text"], StartsWith("<= 8"));
}

TEST_F(IntrinsicDimensionTest, TakesTheBestRateOfEveryDimension_AndCountsTrainings) {
  search("return rate == 0.03 and d >= 4 and 1 or 0",
         "local r, trained = dimension { method = 'm', d_max = 4, past = 0, precision = 0, seeds = 2, rates = { 0.1, 0.03 } }\n"
         "ts.keep { value = r.d90, rate = r.curve[#r.curve].rate, told = r.trainings, trained = trained, gap = r.gap_order }");
  EXPECT_EQ(kept_[0]["value"], 4);
  EXPECT_EQ(kept_[0]["rate"], 0.03);
  EXPECT_EQ(kept_[0]["told"], kept_[0]["trained"]);
  EXPECT_DOUBLE_EQ(kept_[0]["gap"].get<double>(), 0.2) << "sqrt(4 / 100)";
}

TEST_F(IntrinsicDimensionTest, LetsARateLose_WhoseTrainingDiverges) {
  search("if rate == 1 then return nil end return d >= 4 and 1 or 0",
         "local r, trained = dimension { method = 'm', d_max = 4, past = 0, precision = 0, seeds = 1, rates = { 1, 0.1 } }\n"
         "ts.keep { value = r.d90, rate = r.curve[1].rate, lost = r.curve[1].diverged, told = r.trainings, trained = trained }");
  EXPECT_EQ(kept_[0]["value"], 4);
  EXPECT_EQ(kept_[0]["rate"], 0.1);
  EXPECT_EQ(kept_[0]["lost"], json({"rate 1: loss not finite in step 2 (seed 1)"}));
  EXPECT_EQ(kept_[0]["told"], kept_[0]["trained"]);
}

TEST_F(IntrinsicDimensionTest, GoesNoFurtherThanTheTrajectory_AndCountsItsTraining) {
  search("return 0",
         "local r, trained, tried = dimension { method = 'trajectory_svd', seeds = 1, rates = 0.1 }\n"
         "ts.keep { list = tried, trajectory_steps = r.trajectory_steps }");
  EXPECT_EQ(kept_[0]["list"], json({1, 4, 16}));
  EXPECT_EQ(kept_[0]["trajectory_steps"], 32);
}

TEST_F(IntrinsicDimensionTest, PicksTheHeadsRateFirst_ForFullFineTuningAndEveryDimension) {
  search("return d >= 4 and (head == 2 and 0.9 or 0.5) + (rate == 0.1 and 0.05 or 0) or 0",
         "local r, trained = dimension { method = 'm', d_max = 4, past = 0, precision = 1, seeds = 2, share = 0.95,\n"
         "  rates = { 0.3, 0.1 }, head_rates = { 1, 2, 3 }, full = { rates = { 7, 8 } } }\n"
         "local top = r.curve[#r.curve]\n"
         "ts.keep { d = r.d90, rate = top.rate, head = top.lr_head, picked = top.picked, full = r.full.picked, told = r.trainings,\n"
         "  trained = trained }",
         "local function full_score(lr, head) return (head == 3 and 0.8 or 0.5) + (lr == 8 and 0.2 or 0) end");
  EXPECT_EQ(kept_[0]["d"], 4);
  EXPECT_EQ(kept_[0]["rate"], 0.1);
  EXPECT_EQ(kept_[0]["head"], 2);
  EXPECT_EQ(kept_[0]["picked"], "rate 0.1, lr_head 2");
  EXPECT_EQ(kept_[0]["full"], "rate 8, lr_head 3");
  EXPECT_EQ(kept_[0]["told"], 3 * 2 * (3 + 2 - 1)) << "full fine-tuning, d = 1 and d = 4, two seeds";
  EXPECT_EQ(kept_[0]["trained"], kept_[0]["told"]);
}

TEST_F(IntrinsicDimensionTest, PicksTheHeadsRateBesideTheNextRate_WhereTheFirstDivergesWithEvery) {
  search("if rate == 9 then return nil end return d >= 4 and head == 2 and 1 or 0",
         "local r, trained = dimension { method = 'm', d_max = 4, past = 0, precision = 1, seeds = 1, rates = { 9, 0.1 },\n"
         "  head_rates = { 1, 2 } }\n"
         "ts.keep { d = r.d90, picked = r.curve[2].picked, lost = r.curve[2].diverged, told = r.trainings, trained = trained }");
  EXPECT_EQ(kept_[0]["d"], 4);
  EXPECT_EQ(kept_[0]["picked"], "rate 0.1, lr_head 2");
  EXPECT_THAT(kept_[0]["lost"][0], AllOf(HasSubstr("rate 9, lr_head 1: loss not finite"), HasSubstr("rate 9, lr_head 2: loss not finite")));
  EXPECT_EQ(kept_[0]["trained"], kept_[0]["told"]);
}

TEST_F(IntrinsicDimensionTest, TakesRatesOfTheTrainingAndOptionsOfTheSubspace_FromOneElement) {
  search(
      "return 1",
      "local rate = { lr = 0.2, init = 0.1, lr_head = 3, lr_embeddings = 4 }\n"
      "local _, _, _, given = dimension { method = 'm', d_max = 1, past = 0, seeds = 1, rates = { rate }, within = { embeddings = true },\n"
      "  full = { rates = { { lr = 5, lr_head = 6 } } } }\n"
      "ts.keep { full = { given[1].lr, given[1].lr_head }, beside = { given[2].lr_head, given[2].lr_embeddings },\n"
      "  within = given[2].tune.options }");
  EXPECT_EQ(kept_[0]["full"], json({5, 6}));
  EXPECT_EQ(kept_[0]["beside"], json({3, 4}));
  EXPECT_EQ(kept_[0]["within"], json({{"embeddings", true}, {"init", 0.1}, {"lr", 0.2}}));
}

TEST_F(IntrinsicDimensionTest, ReachesAsFarAsFullFineTuningWent_AndCountsThatTraining) {
  search("return d >= 4 and rate == 3 and 1 or 0",
         "local r, trained, _, given = dimension { method = 'm', d_max = 4, past = 0, precision = 1, seeds = 1,\n"
         "  rates = { { reach = 1 }, { reach = 3 } } }\n"
         "ts.keep { d = r.d90, picked = r.curve[2].picked, lr = given[#given].tune.lr, of = given[#given].tune.reach_of,\n"
         "  told = r.trainings, trained = trained, record = given[2].record }");
  EXPECT_EQ(kept_[0]["trained"], kept_[0]["told"]);
  EXPECT_EQ(kept_[0]["d"], 4);
  EXPECT_EQ(kept_[0]["picked"], "reach 3");
  EXPECT_EQ(kept_[0]["lr"], "reach");
  EXPECT_EQ(kept_[0]["of"], "way");
  EXPECT_EQ(kept_[0]["record"], (json{{"every", 32}, {"parameters", {{"parts", {"encoder", "decoder"}}, {"groups", "whole"}}}}));
  EXPECT_EQ(kept_[0]["told"], 1 + 1 + 2 * 2) << "full fine-tuning, its update, two rates at two dimensions";
}

TEST_F(IntrinsicDimensionTest, ReachesTheUpdateOfItsOwnTrajectory_WhereAMethodHasOne) {
  search("return 1",
         "local _, _, _, given = dimension { method = 'trajectory_svd', d_max = 1, past = 0, seeds = 1, rates = { { reach = 1 } } }\n"
         "ts.keep { of = given[#given].tune.reach_of or 'its own' }");
  EXPECT_EQ(kept_[0]["of"], "its own");
}

TEST_F(IntrinsicDimensionTest, SaysWhetherAFrozenEncoderReachesTheTarget) {
  for (const bool reaches : {true, false}) {
    search(std::string("return (d > 0 or head == 2) and ") + (reaches ? "1" : "d / 4"),
           "local r, trained, _, given = dimension { method = 'm', d_max = 4, past = 0, precision = 1, seeds = 1, rates = 0.1,\n"
           "  head_rates = { 1, 2 }, freeze = true }\n"
           "local f = r.freeze\n"
           "ts.keep { d = f.d, total = f.total, reaches = f.reaches, picked = f.picked, parts = given[#given].train, told = r.trainings,\n"
           "  trained = trained, mean = f.mean }");
    EXPECT_EQ(kept_.back()["d"], 0);
    EXPECT_EQ(kept_.back()["total"], 0);
    EXPECT_EQ(kept_.back()["reaches"], reaches);
    EXPECT_EQ(kept_.back()["picked"], "lr_head 2");
    EXPECT_EQ(kept_.back()["parts"], json({"pooler", "head"})) << "the embeddings are frozen within the subspace too";
    EXPECT_EQ(kept_.back()["told"], kept_.back()["trained"]);
  }
}

TEST_F(IntrinsicDimensionTest, HasNoFrozenEncoder_UnlessAsked) {
  search("return 1", "local r = dimension { method = 'm', rates = 0.1 } ts.keep { none = r.freeze == nil }");
  EXPECT_TRUE(kept_[0]["none"]);
}

TEST_F(IntrinsicDimensionTest, TellsTheTrainingLossBesideTheOrderOfTheGap) {
  search("return d >= 4 and 1 or 0",
         "local r = dimension { method = 'm', d_max = 4, past = 0, precision = 1, rates = 0.1, freeze = true }\n"
         "ts.keep { found = r.train_loss, first = r.curve[1].train_loss, full = r.full.train_loss, freeze = r.freeze.train_loss }");
  EXPECT_DOUBLE_EQ(kept_[0]["found"].get<double>(), 0.2) << "the last evaluation's, at d = 4";
  EXPECT_DOUBLE_EQ(kept_[0]["first"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(kept_[0]["full"].get<double>(), 0.25);
  EXPECT_DOUBLE_EQ(kept_[0]["freeze"].get<double>(), 1);
}

TEST_F(IntrinsicDimensionTest, RefusesRatesThatNothingReads) {
  EXPECT_EQ(refusal("rates = { { lr_haed = 1 } }"), "intrinsic_dimension: option 'rates': unknown option 'lr_haed'");
  EXPECT_EQ(refusal("rates = function(d) return { { lr_haed = d } } end"), "intrinsic_dimension: option 'rates': unknown option 'lr_haed'");
  EXPECT_EQ(refusal("full = { rates = { { reach = 1 } } }"), "intrinsic_dimension: option 'full.rates': unknown option 'reach'");
  EXPECT_EQ(refusal("freeze = { rates = { true } }"),
            "intrinsic_dimension: option 'freeze.rates' has a boolean, expected numbers, or tables { lr = …, lr_head = … }");
  EXPECT_THAT(refusal("rates = { { lr_embeddings = 1 } }"),
              HasSubstr("the embeddings are frozen; expected within = { embeddings = true }"));
  EXPECT_THAT(refusal("rates = { { lr_head = 1 } }, head_rates = { 1 }"), HasSubstr("option 'rates' names lr_head beside 'head_rates'"));
  EXPECT_THAT(refusal("train = { lr_head = 1 }, head_rates = { 1 }"), HasSubstr("option 'train' names lr_head beside 'head_rates'"));
  EXPECT_THAT(refusal("head_rates = { 'x' }"), HasSubstr("option 'head_rates' has x, expected numbers from 0 on"));
  EXPECT_THAT(refusal("freeze = 1"), HasSubstr("option 'freeze' is a number, expected true, or a table of options"));
  EXPECT_THAT(refusal("rates = {}"), HasSubstr("option 'rates' is empty"));
}

TEST_F(IntrinsicDimensionTest, RefusesATaskWithoutAScoreToReach_BeforeAnythingIsTrained) {
  EXPECT_THAT(refusal("task = { name = 'stories', metric = 'perplexity', splits = { dev = { rows = 10 } } }"),
              HasSubstr("task 'stories' is scored by perplexity; a share of it has no meaning"));
  EXPECT_THAT(refusal("train = { eval_split = 'test' }"), HasSubstr("task 't' has no rows of split 'test'"));
}

TEST_F(IntrinsicDimensionTest, RefusesAMisspeltOption) {
  const auto error = failure("local ts = require 'ts'\nts.intrinsic_dimension { modle = {} }");
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), HasSubstr("recipe.lua:2: intrinsic_dimension: unknown option 'modle' (did you mean 'model'?)"));
}

}  // namespace
}  // namespace tsrun
