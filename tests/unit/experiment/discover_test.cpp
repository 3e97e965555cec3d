// Subspaces as recipes ask for them: of a task's gradients, of a key, and over a delta.
#include "unit/experiment/laboratory.h"

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class DiscoverTest : public LaboratoryTest {
 protected:
  json discover(const std::string& method, const json& more) {
    json options = {{"method", method}, {"model", model()}};
    options.update(more);
    return lab_->call("discover", options);
  }
  json trained(const json& of, const json& tune) { return LaboratoryTest::trained({{"model", of}, {"max_steps", 2}, {"tune", tune}}); }
};

TEST_F(DiscoverTest, TakesGradientsOfATasksRows_AsTrainingsReadThem) {
  const json options = {{"task", task()}, {"batches", 3}, {"row_batch", 4}};
  const json basis = discover("gradient_svd", options);
  EXPECT_EQ(basis.at("dims").at(0), 3);
  EXPECT_GT(basis.at("groups").at(0).at("singular_values").at(0).get<double>(), 0);
  json shorter = options;
  shorter["max_length"] = 4;
  EXPECT_NE(discover("gradient_svd", shorter).at("key"), basis.at("key"));
}

TEST_F(DiscoverTest, CountsRowsOfItsGradients_AsStepsBehindATraining) {
  const json basis = discover("gradient_svd", {{"task", task()}, {"batches", 3}, {"row_batch", 4}});
  EXPECT_EQ(basis.at("gradient_rows"), 12);
  EXPECT_EQ(trained(model(), {{"subspace", basis}, {"lr", 0.01}}).at("steps_before"), 1);
  const json few = discover("gradient_svd", {{"task", task()}, {"batches", 3}, {"row_batch", 4}, {"training_rows", {{"rows", 8}}}});
  EXPECT_NE(few.at("groups"), basis.at("groups"));
  EXPECT_THAT(mistake([&] {
                discover("sparse", {{"dim", 5}, {"training_rows", {{"rows", 8}}}});
              }),
              HasSubstr("nothing reads option 'training_rows'"));
}

TEST_F(DiscoverTest, RefusesAMethodOfGradientsWithoutATask) {
  EXPECT_THAT(mistake([&] { discover("hessian_top", json::object()); }), HasSubstr("'hessian_top' needs option 'task'"));
}

TEST_F(DiscoverTest, LeavesATaskOutOfTheKey_OfMethodsThatIgnoreIt) {
  EXPECT_EQ(discover("sparse", {{"dim", 5}, {"task", task()}}).at("key"), discover("sparse", {{"dim", 5}}).at("key"));
}

TEST_F(DiscoverTest, SpansTheWholeEncoderByOneVector) {
  for (const char* method : {"sparse", "fastfood", "said", "random_projection"}) {
    const json basis = discover(method, {{"dim", 60}, {"parameters", {{"parts", {"encoder"}}, {"groups", "whole"}}}});
    EXPECT_EQ(basis.at("dim"), 60) << method;
    EXPECT_EQ(basis.at("bytes"), 0) << method;
    EXPECT_NO_THROW(trained(model(), {{"subspace", basis}})) << method;
  }
}

TEST_F(DiscoverTest, SpansTheFactorsOfALora_WhichStartAwayFromZero) {
  const json adapted = lab_->call("adapt", {{"model", model()}, {"method", "lora"}, {"r", 2}, {"seed", 3}});
  const json basis = lab_->call(
      "discover", {{"method", "uni_lora"}, {"model", adapted}, {"dim", 20}, {"parameters", {{"parts", {"delta"}}, {"groups", "whole"}}}});
  EXPECT_EQ(basis.at("dim"), 20);
  EXPECT_EQ(basis.at("bytes"), 4 * adapted.at("delta_parameters").get<int64_t>());  // the initial values, to take them away
  const json run = trained(adapted, {{"subspace", basis}, {"lr", 0.01}});
  EXPECT_TRUE(run.contains("key"));
}

TEST_F(DiscoverTest, RefusesAnotherStart_WhereTheBasisTakesItAway) {
  const json adapted = lab_->call("adapt", {{"model", model()}, {"method", "lora"}, {"r", 2}});
  const json over = {{"parts", {"delta"}}, {"groups", "whole"}};
  json options = {{"method", "uni_lora"}, {"model", adapted}, {"dim", 20}, {"parameters", over}};
  const auto run = [&](const json& basis, int64_t seed) {
    return LaboratoryTest::trained({{"model", adapted}, {"max_steps", 2}, {"seed", seed}, {"tune", {{"subspace", basis}, {"lr", 0.01}}}});
  };
  const json basis = lab_->call("discover", options);
  EXPECT_NO_THROW(run(basis, 1));
  EXPECT_THAT(mistake([&] { run(basis, 2); }), HasSubstr("give the delta a seed of its own"));
  options["origin"] = "kept";
  const json kept = lab_->call("discover", options);
  EXPECT_NO_THROW(run(kept, 2));
}

}  // namespace
}  // namespace tsrun
