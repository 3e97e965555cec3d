#include "unit/lua/fixture.h"

#include "tsrun/base/files.h"

namespace tsrun {
namespace {

/// The search over a made-up laboratory: a training within d coordinates at rate r scores score(d, r), or diverges where that is nil; full
/// fine-tuning scores 1; `trained` counts.
constexpr const char* kLaboratory = R"(
  local trained, tried = 0, {}
  local lab = {
    seeds = function(n) local list = {} for i = 1, n do list[i] = i end return list end,
    every = function(n) return { every = n } end,
    within = function(basis, options) return { d = basis.dim, rate = options.lr, embeddings = options.embeddings } end,
    discover = function(_, options) return { dim = options.dim, parameters = options.parameters, trajectory = options.trajectory } end,
    train = function(o)
      trained = trained + 1
      if not o.tune then return { last = { score = 1 }, steps = 32, trajectory = o.record and "way" } end
      tried[#tried + 1] = o.tune.d
      local reached = score(o.tune.d, o.tune.rate)
      if not reached then error { diverged = "loss not finite in step 2", steps = 1 } end
      return { last = { score = reached } }
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
    fail = function(text) error(text, 0) end, did_you_mean = function() return "" end, higher_is_better = function() return true end,
    failure = function(err) return type(err) == "table" and err or { message = err } end,
    diverge = function(message) error(message, 0) end,
  }
  chunk(native, lab, common(native), candidates(native, lab))
  local task = { splits = { train = { rows = 100 }, dev = { majority_score = 0.5 } } }
  local function dimension(options)
    options.model, options.task = {}, task
    return lab.intrinsic_dimension(options), trained, tried
  end
)";

class IntrinsicDimensionTest : public RecipeTest {
 protected:
  /// Runs `text` after `score`, a Lua function of d and rate.
  void search(const std::string& score, const std::string& text) {
    run("local ts = require 'ts'\n" + load("chunk", "intrinsic_dimension.lua") + load("candidates", "candidates.lua") +
        load("common", "common.lua") + "local function score(d, rate) " + score + " end\n" + kLaboratory + text);
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

TEST_F(IntrinsicDimensionTest, RefusesAMisspeltOption) {
  const auto error = failure("local ts = require 'ts'\nts.intrinsic_dimension { modle = {} }");
  EXPECT_EQ(error.kind(), ErrorKind::user);
  EXPECT_THAT(error.what(), HasSubstr("recipe.lua:2: intrinsic_dimension: unknown option 'modle' (did you mean 'model'?)"));
}

}  // namespace
}  // namespace tsrun
