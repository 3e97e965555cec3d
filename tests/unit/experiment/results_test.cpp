// Results have the fields that the reference page tells of.
#include "tsrun/experiment/results.h"

#include "unit/experiment/laboratory.h"

#include <set>

namespace tsrun {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;

class ResultsTest : public LaboratoryTest {
 protected:
  json call(const std::string& name, const json& options) {
    const json result = lab_->call(name, options);
    see(name, result);
    return result;
  }
  json trained(json options) {
    const json result = LaboratoryTest::trained(std::move(options));
    see("train", result);
    return result;
  }
  /// Fields of the kind that no result had.
  std::set<std::string> unseen(const std::string& kind) const {
    std::set<std::string> names;
    for (const std::string_view name : find_result_kind(kind)->names())
      if (!seen_.contains({kind, std::string(name)})) names.emplace(name);
    return names;
  }

 private:
  void see(const std::string& operation, const json& result) {
    const auto& all = lab_->operations();
    const auto at = std::ranges::find_if(all, [&](const Operation& one) { return one.name == operation; });
    const ResultKind* kind = find_result_kind(at->result);
    ASSERT_NE(kind, nullptr) << operation;
    if (kind->is_artifact) {
      EXPECT_EQ(result.at("artifact"), kind->name) << operation;
    }
    const auto names = kind->names();
    for (const auto& [name, value] : result.items()) {
      EXPECT_TRUE(kind->open || std::ranges::find(names, name) != names.end()) << operation << ": " << name;
      seen_.emplace(kind->name, name);
    }
    for (const ResultField& field : kind->fields) {
      const size_t dot = field.name.find('.');  // "last.score"
      EXPECT_TRUE(dot == field.name.npos || result.at(std::string(field.name.substr(0, dot))).contains(field.name.substr(dot + 1)))
          << operation << ": " << field.name;
    }
  }

  std::set<std::pair<std::string, std::string>> seen_;
};

TEST_F(ResultsTest, OfEveryKindHaveTheFieldsThatAreTold) {
  const json bert = call("model", {{"spec", (folder_ / "bert").string()}}), toy = call("task", {{"spec", (folder_ / "task").string()}});
  const json lora = call("adapt", {{"model", bert}, {"method", "lora"}, {"r", 2}, {"seed", 3}});
  const json words = call("tokenizer.train", {{"task", toy}, {"kind", "words"}, {"vocabulary_size", 200}});
  call("architecture", {{"family", "gpt2"}, {"tokenizer", words}, {"layers", 1}, {"hidden", 16}, {"heads", 2}});

  const json short_run = {{"max_steps", 2}, {"keep", "all"}};
  json options = short_run;
  options.update({{"record", {{"every", 1}}}, {"geometry_every", 2}, {"reinit_layers", 1}});
  const json full = trained(options);
  options.erase("reinit_layers");
  const json recorded = trained(options);
  const json basis = call("discover", {{"method", "trajectory_svd"}, {"trajectory", recorded.at("trajectory")}, {"dim", 2}});
  options = short_run;
  options["tune"] = {{"subspace", basis}, {"lr", "reach"}};
  const json within = trained(options);
  options["tune"] = {{"subspace", basis}};
  options["optim"] = "levenberg_marquardt";
  trained(options);
  options = short_run;
  options["regularize"] = {{{"plugin", "r_drop"}, {"options", json::object()}}};
  trained(options);
  const json lora_run = trained({{"model", lora}, {"max_steps", 2}});

  call("evaluate", {{"solution", full}, {"bootstrap", 20}});
  const json projected = call("evaluate", {{"solution", recorded}, {"project", basis}, {"directions", 1}});
  EXPECT_EQ(projected.at("binding").at("subspace"), json({{"bytes", basis.at("bytes")}, {"dims", {1, 1}}}));
  call("trajectory", {{"solutions", {recorded, within}}});
  call("low_rank", {{"solution", recorded}, {"model", lora}});
  call("crossing", {{"curve", {{{"at", 1}, {"runs", {within}}}}}, {"reference", {full}}, {"bootstrap", 20}});
  call("quantize", {{"basis", basis}});
  call("geometry", {{"model", bert}});
  call("export", {{"solution", lora_run}, {"path", (folder_ / "merged").string()}});
  const json mask = call("outliers", {{"solution", within}});
  call("mask", {{"control", "random"}, {"like", mask}, {"seed", 1}});
  call("select", {{"method", "random_mask"}, {"model", bert}, {"task", toy}});
  const std::string zoo = (folder_ / "zoo").string();
  call("zoo", {{"basis", basis}, {"solutions", {within}}, {"path", zoo}});
  call("from_zoo", {{"path", zoo}, {"solution", toy.at("name")}, {"model", bert}, {"task", toy}});

  EXPECT_THAT(unseen("train"), ::testing::IsSubsetOf({"planned", "search", "measured"}));
  EXPECT_THAT(unseen("evaluation"), ::testing::IsSubsetOf({"planned"}));
  EXPECT_THAT(unseen("mask"), ::testing::IsSubsetOf({"planned"}));
  EXPECT_THAT(unseen("export"), IsEmpty());
}

TEST(Results, AreNamedByEveryOperationThatMakesAnArtifact) {
  LabSettings settings;
  settings.plan_only = true;
  const Lab lab(settings);
  for (const Operation& operation : lab.operations())
    EXPECT_TRUE((!operation.named && operation.result.empty()) || find_result_kind(operation.result)) << operation.name;
}

}  // namespace
}  // namespace tsrun
