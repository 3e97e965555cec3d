#include "tsrun/plugin_testing/joint.h"

#include "decoder.h"
#include "training.h"

#include "tsrun/base/parallel.h"

#include <gtest/gtest.h>

// Whole decompositions: what is kept, what a stop costs, what mixing is for, and the controls.
namespace tsrun::joint_decomposition {
namespace {

namespace fs = std::filesystem;
using plugin_testing::made_up_members;
using plugin_testing::QuadraticTasks;

struct Problem {
  explicit Problem(const std::vector<int64_t>& lengths = {30, 41, 25}, int64_t tasks_count = 2)
      : members(made_up_members(lengths, tasks_count)), tasks(members, [=](int64_t) { return batch_of(tasks_count); }) {}
  static std::vector<JointTasks::Rows> batch_of(int64_t count) {
    std::vector<JointTasks::Rows> batch;
    for (int64_t t = 0; t < count; ++t) batch.push_back({t, {0}});
    return batch;
  }
  JointInputs inputs(const fs::path& work = {}, uint64_t seed = 1) { return {members, &tasks, Key::root(seed), work, "toy"}; }
  JointResult decompose(const nlohmann::json& options, const fs::path& work = {}, uint64_t seed = 1) {
    const JointMethod& method = plugin_testing::joint_method("joint_decomposition");
    return method.decompose(inputs(work, seed), method.options().resolve(options, "test"));
  }
  std::vector<JointMember> members;
  QuadraticTasks tasks;
};

Settings toy_settings(const nlohmann::json& options) { return settings_of(option_table().resolve(options, "test")); }

at::Tensor columns_of(const JointResult& result, size_t m) { return dynamic_cast<const Decoder&>(*result.decoders[m]).columns(); }

void expect_equal(const JointResult& a, const JointResult& b) {
  ASSERT_EQ(a.decoders.size(), b.decoders.size());
  for (size_t m = 0; m < a.decoders.size(); ++m) EXPECT_TRUE(at::equal(columns_of(a, m), columns_of(b, m))) << m;
  EXPECT_TRUE(at::equal(a.codes, b.codes));
  EXPECT_EQ(a.description.dump(), b.description.dump());
}

const nlohmann::json toy = {{"dim", 3}, {"steps", 30}, {"lr", 0.01}, {"gamma", 0.1}, {"eval_every", 7}};

nlohmann::json toy_with(const nlohmann::json& changes) {
  nlohmann::json options = toy;
  options.update(changes);
  return options;
}

at::Tensor decoded(const JointMember& member, const Subspace& decoder, const at::Tensor& code) {
  at::Tensor theta = member.origin.clone();
  decoder.expand(code.contiguous(), theta);
  return theta;
}

/// Loss of every member at the codes of the others, in units of its loss at the start.
double transfer_loss(Problem& problem, const JointResult& result) {
  double at_codes = 0, at_start = 0;
  for (size_t target = 0; target < problem.members.size(); ++target) {
    for (size_t source = 0; source < problem.members.size(); ++source) {
      for (int64_t task = 0; source != target && task < result.codes.size(0); ++task) {
        const JointMember& member = problem.members[target];
        const at::Tensor code = result.codes[task][static_cast<int64_t>(source)];
        at_codes += problem.tasks.loss_at(target, task, decoded(member, *result.decoders[target], code));
        at_start += problem.tasks.loss_at(target, task, member.origin);
      }
    }
  }
  return at_codes / at_start;
}

TEST(JointTraining, TransfersWithMixing_AndNotWithout) {
  const nlohmann::json options = {{"dim", 4}, {"steps", 800}, {"lr", 0.01}, {"eval_every", 200}, {"gamma", 0.01}};
  Problem with, without;
  nlohmann::json none = options;
  none["mixing"] = "none";
  const JointResult mixed = with.decompose(options), apart = without.decompose(none);
  EXPECT_LT(transfer_loss(with, mixed), 0.1);
  EXPECT_GT(transfer_loss(without, apart), 0.5);
  for (const JointResult* result : {&mixed, &apart}) {
    const auto& history = result->description["history"];
    for (const char* name : {"a", "b", "c"})
      EXPECT_LT(history.back()["loss"][name].get<double>(), 0.2 * history.front()["loss"][name].get<double>()) << name;
  }
}

TEST(JointTraining, ReportsWhatItDid) {
  Problem problem;
  const JointResult result = problem.decompose(toy);
  EXPECT_EQ(result.codes.sizes().vec(), (std::vector<int64_t>{2, 3, 3}));
  const nlohmann::json& facts = result.description;
  EXPECT_FALSE(facts["equal_sizes"].get<bool>());
  EXPECT_EQ(facts["members"][1]["size"], 41);
  EXPECT_EQ(facts["options"]["dim"], 3);
  EXPECT_EQ(facts["options"]["preset"], "release");
  ASSERT_EQ(facts["history"].size(), 5u);  // after 7, 14, 21, 28 and 30 steps
  EXPECT_EQ(facts["history"].back()["step"], 30);
  EXPECT_EQ(facts["history"][0]["score_own"]["a"].size(), 2u);
  EXPECT_EQ(facts["history"][0]["score_centroid"]["c"].size(), 2u);
  EXPECT_GT(facts["history"][0]["distance"].get<double>(), 0);
  EXPECT_EQ(facts["reconstruction_error"]["b"].size(), 2u);
  EXPECT_EQ(facts["memory_bytes"]["decoders"], 4 * 3 * (30 + 41 + 25));
  EXPECT_EQ(facts["memory_bytes"]["encoders"], 4 * 3 * (30 + 41 + 25));
  EXPECT_EQ(facts["memory_bytes"]["factors"], 2 * 4 * (30 + 41 + 25 + 3 * 3));
}

TEST(JointTraining, PresetsAreTheReleases) {
  const Settings single = toy_settings({}), multi = toy_settings({{"preset", "release-multi-task"}, {"gamma", 0.5}});
  EXPECT_EQ(single.dim, 4);
  EXPECT_EQ(single.steps, 100000);
  EXPECT_EQ(single.gamma, 0.1);
  EXPECT_EQ(multi.dim, 100);
  EXPECT_EQ(multi.steps, 75000);
  EXPECT_EQ(multi.gamma, 0.5);  // given options win
}

TEST(JointTraining, WorksForOneMember_AndForFive) {
  for (const std::vector<int64_t>& lengths : {std::vector<int64_t>{30}, std::vector<int64_t>{30, 31, 32, 33, 34}}) {
    Problem problem(lengths, 1);
    const JointResult result = problem.decompose(toy_with({{"steps", 200}, {"eval_every", 100}}));
    ASSERT_EQ(result.decoders.size(), lengths.size());
    EXPECT_LT(result.description["history"].back()["loss"]["a"].get<double>(), result.description["history"][0]["loss"]["a"].get<double>());
  }
}

TEST(JointTraining, DecodesZeroToTheStart_BitForBit) {
  Problem problem;
  for (const char* form : {"linear", "tanh"}) {
    const JointResult result = problem.decompose(toy_with({{"decoder", form}}));
    for (size_t m = 0; m < 3; ++m)
      EXPECT_TRUE(at::equal(decoded(problem.members[m], *result.decoders[m], at::zeros({3})), problem.members[m].origin));
  }
}

TEST(JointTraining, KeepsTheBestState_AndTiesDoNotReplaceIt) {
  // Two looks a score: own code and centroid of the one member.
  Problem problem({30}, 1), shorter({30}, 1);
  problem.tasks.scripted = {0.5, 0.5, 0.7, 0.7, 0.8, 0.6, 0.6, 0.6};
  shorter.tasks.scripted = {0.5, 0.5, 0.7, 0.7};
  const JointResult result = problem.decompose(toy_with({{"steps", 40}, {"eval_every", 10}}));
  EXPECT_EQ(result.description["kept_step"], 20);
  EXPECT_NEAR(result.description["kept_score"].get<double>(), 0.7, 1e-12);
  const JointResult there = shorter.decompose(toy_with({{"steps", 20}, {"eval_every", 10}}));
  EXPECT_TRUE(at::equal(columns_of(result, 0), columns_of(there, 0)));
  EXPECT_TRUE(at::equal(result.codes, there.codes));
}

TEST(JointTraining, ChoosesWhereAskedTo) {
  const auto kept = [](const char* where, std::vector<double> scores) {
    Problem problem({30}, 1);
    problem.tasks.scripted = std::move(scores);
    return problem.decompose(toy_with({{"steps", 20}, {"eval_every", 10}, {"select_at", where}})).description["kept_step"].get<int64_t>();
  };
  EXPECT_EQ(kept("own", {0.9, 0.1, 0.2, 0.8}), 10);
  EXPECT_EQ(kept("centroid", {0.9, 0.1, 0.2, 0.8}), 20);
  EXPECT_EQ(kept("fixed", {0.9, 0.3, 0.2, 0.8}), 10);
  EXPECT_EQ(kept("random", {0.9, 0.9, 0.1, 0.2, 0.2, 0.8}), 20);
}

TEST(JointTraining, KeepsTheLastState_WhenNoScoreIsANumber) {
  Problem problem({30}, 1);
  problem.tasks.scripted = std::vector<double>(4, std::nan(""));
  const JointResult result = problem.decompose(toy_with({{"steps", 20}, {"eval_every", 10}}));
  EXPECT_EQ(result.description["kept_step"], 20);
  EXPECT_TRUE(result.description["kept_score"].is_null());
}

TEST(JointTraining, GivesTheSameBytes_OnOneThreadAndTwo) {
  const int before = threads();
  std::vector<JointResult> results;
  for (const int count : {1, 2}) {
    set_threads(count);
    Problem problem({2100, 1200, 30}, 1);  // three, two and one units
    results.push_back(problem.decompose(toy_with({{"steps", 10}})));
  }
  set_threads(before);
  expect_equal(results[0], results[1]);
}

TEST(JointTraining, DependsOnItsKey) {
  Problem a, b;
  EXPECT_FALSE(at::equal(columns_of(a.decompose(toy), 0), columns_of(b.decompose(toy, {}, 2), 0)));
}

TEST(JointTraining, ResumesBitEqual_AfterAnInterruptAnywhere) {
  const plugin_testing::SmallInputs files;
  for (const char* form : {"linear", "tanh"}) {
    Problem whole;
    const auto options = toy_with({{"decoder", form}});
    const JointResult expected = whole.decompose(options, files.folder("whole"));
    for (const int64_t stop : {2, 45, 100, 179}) {  // six losses a step: in the middle of steps, and between them
      const fs::path work = files.folder("work");
      Problem stopped, again;
      stopped.tasks.stop_at = stop;
      EXPECT_THROW(stopped.decompose(options, work), Error) << stop;
      expect_equal(again.decompose(options, work), expected);
      EXPECT_LE(again.tasks.losses_taken, 180 - (stop - 1) / 6 * 6) << stop;  // what was done is not done again
    }
  }
}

TEST(JointTraining, ResumesBitEqual_AfterACrash) {
  const plugin_testing::SmallInputs files;
  Problem whole, stopped, again;
  const Settings settings = toy_settings(toy);
  const JointResult expected = train(whole.inputs(), settings);
  const fs::path work = files.folder("work");
  stopped.tasks.stop_at = 100;
  stopped.tasks.stop_with = ErrorKind::run;
  EXPECT_THROW(train(stopped.inputs(work), settings, std::chrono::milliseconds(0)), Error);
  expect_equal(train(again.inputs(work), settings, std::chrono::milliseconds(0)), expected);
}

TEST(JointTraining, RefusesAStateOfOtherOptions) {
  const plugin_testing::SmallInputs files;
  const fs::path work = files.folder("work");
  Problem stopped, again;
  stopped.tasks.stop_at = 100;
  EXPECT_THROW(stopped.decompose(toy, work), Error);
  try {
    again.decompose(toy_with({{"gamma", 0.2}}), work);
    FAIL() << "a state of other options was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user) << error.what();
  }
}

TEST(JointTraining, NamesStepMemberAndTask_WhenALossIsNotFinite) {
  Problem problem;
  problem.tasks.broken_at = 6 * 4 + 4;  // step 5, second member, second task
  try {
    problem.decompose(toy);
    FAIL() << "a loss that is no number was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::run);
    const std::string text = error.what();
    for (const char* part : {"step 5", "b on", "task 2"}) EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

TEST(JointTraining, SaysWhatIsWrongWithItsInputs) {
  const auto message = [](const auto& change, const nlohmann::json& options) -> std::string {
    Problem problem;
    JointInputs inputs = problem.inputs();
    change(inputs);
    const JointMethod& method = plugin_testing::joint_method("joint_decomposition");
    try {
      method.decompose(inputs, method.options().resolve(options, "test"));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user) << error.what();
      return error.what();
    }
    return "";
  };
  const auto says = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(says(message([](JointInputs& i) { i.members.clear(); }, toy), "member"));
  EXPECT_TRUE(says(message([](JointInputs& i) { i.tasks = nullptr; }, toy), "tasks"));
  EXPECT_TRUE(says(message([](JointInputs& i) { i.members[1].deltas.pop_back(); }, toy), "expected 2"));
  EXPECT_TRUE(says(message([](JointInputs& i) { i.members[1].deltas[0].clear(); }, toy), "no solution"));
  EXPECT_TRUE(says(message([](JointInputs& i) { i.members[1].name = "a"; }, toy), "two members"));
  EXPECT_TRUE(says(message([](JointInputs& i) { i.members[2].origin = at::zeros({7}); }, toy), "25"));
  EXPECT_TRUE(says(message([](JointInputs& i) { i.members[0].parameters.groups.clear(); }, toy), "group"));
  EXPECT_TRUE(says(message([](JointInputs& i) { i.members.resize(1); }, toy_with({{"crossed_encoder", true}})), "two members"));
  EXPECT_TRUE(says(message([](JointInputs& /*i*/) {}, toy_with({{"fit", "pca"}, {"decoder", "tanh"}})), "linear"));
}

TEST(JointControls, PcaReproducesEverySolution_WhenItHasADirectionForEach) {
  Problem problem({200, 300, 90}, 4);
  const JointResult result = problem.decompose({{"fit", "pca"}, {"dim", 6}});
  EXPECT_EQ(result.decoders[0]->dim(), 4);  // four tasks span four directions
  for (size_t m = 0; m < 3; ++m)
    for (int64_t t = 0; t < 4; ++t) {
      const at::Tensor theta = decoded(problem.members[m], *result.decoders[m], result.codes[t][static_cast<int64_t>(m)]);
      const at::Tensor& delta = problem.members[m].deltas[static_cast<size_t>(t)][0];
      EXPECT_LT((theta - problem.members[m].origin - delta).norm().item<double>(), 1e-5 * delta.norm().item<double>());
      EXPECT_TRUE(at::equal(result.codes[t][static_cast<int64_t>(m)], result.codes[t][0]));  // members share codes
    }
  EXPECT_NEAR(result.codes.select(1, 0).square().sum().item<double>() / 4, 1, 1e-5);
  const JointResult fewer = problem.decompose({{"fit", "pca"}, {"dim", 2}});
  EXPECT_EQ(fewer.decoders[0]->dim(), 2);
  EXPECT_GT(fewer.description["reconstruction_error"]["a"][0].get<double>(), 1e-3);
}

TEST(JointControls, RandomDecodersNeedNeitherSolutionsNorTasks_AndShipNothing) {
  Problem problem;
  JointInputs inputs = problem.inputs();
  inputs.tasks = nullptr;
  for (JointMember& member : inputs.members) member.deltas.clear();
  const JointMethod& method = plugin_testing::joint_method("joint_decomposition");
  const Options options = method.options().resolve({{"fit", "random"}, {"dim", 5}, {"column_length", 2.5}}, "test");
  EXPECT_FALSE(method.needs_solutions(options));
  EXPECT_FALSE(method.needs_tasks(options));
  const JointResult result = method.decompose(inputs, options);
  EXPECT_FALSE(result.codes.defined());
  for (size_t m = 0; m < 3; ++m) {
    EXPECT_TRUE(at::allclose(columns_of(result, m).norm(2, 1), at::full({5}, 2.5)));
    EXPECT_EQ(result.decoders[m]->bytes_shipped(), 0);
  }
}

}  // namespace
}  // namespace tsrun::joint_decomposition
