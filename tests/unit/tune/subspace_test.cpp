#include "unit/tune/fakes.h"

namespace tsrun::testing_tune {
namespace {

/// A subspace that knows more of itself than it describes.
class KnownSubspace final : public Subspace {
 public:
  explicit KnownSubspace(ParameterSet set, SubspaceFacts facts) : plain_(std::move(set), 2), facts_(std::move(facts)) {}
  const ParameterSet& parameters() const override { return plain_.parameters(); }
  const std::vector<int64_t>& dims() const override { return plain_.dims(); }
  void expand(const at::Tensor& z, at::Tensor out) const override { plain_.expand(z, out); }
  at::Tensor project(const at::Tensor& z, const at::Tensor& g) const override { return plain_.project(z, g); }
  bool claims_orthonormal() const override { return true; }
  SubspaceFacts facts() const override { return facts_; }
  nlohmann::json describe() const override { return {{"words", "free"}}; }
  void save(const std::filesystem::path& /*folder*/) const override {}
  int64_t bytes_shipped() const override { return 0; }

 private:
  PlainSubspace plain_;
  SubspaceFacts facts_;
};

ParameterSet two_groups() {
  ParameterSet set;
  set.layout.add("a", {4});
  set.layout.add("b", {6});
  set.groups = {{"first", 0, 4}, {"second", 4, 10}};
  return set;
}

TEST(Subspace, IsDescribedWithItsFactsGroupByGroup) {
  const KnownSubspace subspace(two_groups(), {{{{3, 1}, 0.5}, {{2, 2}, 0}}});
  const nlohmann::json description = described(subspace);
  EXPECT_EQ(description.at("words"), "free");
  EXPECT_EQ(description.at("groups"), nlohmann::json::parse(R"([
    {"name": "first", "dim": 2, "singular_values": [3.0, 1.0], "update_length": 0.5},
    {"name": "second", "dim": 2, "singular_values": [2.0, 2.0], "update_length": 0.0}])"));
}

TEST(Subspace, IsDescribedByItsOwnWordsAlone_WithoutFacts) {
  EXPECT_EQ(described(KnownSubspace(two_groups(), {})), nlohmann::json({{"words", "free"}}));
}

}  // namespace
}  // namespace tsrun::testing_tune
