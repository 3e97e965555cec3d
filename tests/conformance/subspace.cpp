#include "subspace_checks.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tsrun::plugin_testing {
namespace {

Subject subspace_subject(const SubspaceCase& subject) {
  const SubspaceMethod& method = subspace_method(subject.method);
  const auto maker = [&](const SmallInputs& inputs, uint64_t seed) { return discover(method, inputs, subject.options, seed); };
  return {method, subject.options, maker, false, !method.needs_trajectory() && !method.needs_probe()};
}

class SubspaceTest : public ::testing::Test {
 public:
  SubspaceTest(Case subject, Subject (*resolve)(const Case&), Check check)
      : subject_(std::move(subject)), resolve_(resolve), check_(std::move(check)) {}
  void TestBody() override { check_(resolve_(subject_)); }

 private:
  Case subject_;
  Subject (*resolve_)(const Case&);
  Check check_;
};

at::Tensor random_vector(uint64_t seed, int64_t count) {
  at::Tensor result = at::empty({count}, at::kFloat);
  fill_normal(Key::root(seed), {result.data_ptr<float>(), static_cast<size_t>(count)});
  return result;
}

at::Tensor expanded(const Subspace& subspace, const at::Tensor& z) {
  at::Tensor out = at::zeros({subspace.parameters().layout.total()}, at::kFloat);
  subspace.expand(z, out);
  return out;
}

double product_of(const at::Tensor& a, const at::Tensor& b) { return a.to(at::kDouble).dot(b.to(at::kDouble)).item<double>(); }

void has_a_sound_shape(const Subject& subject) {
  const SmallInputs small;
  const auto subspace = subject.made(small);
  const ParameterSet expected = subject.parameters(small);
  EXPECT_EQ(subspace->parameters(), expected);
  ASSERT_EQ(subspace->dims().size(), expected.groups.size());
  for (int64_t dim : subspace->dims()) EXPECT_GT(dim, 0);
  EXPECT_GE(subspace->bytes_shipped(), 0);
  EXPECT_TRUE(subspace->describe().is_object());
  EXPECT_FALSE(subject.method.doc().empty());
  EXPECT_GE(subject.method.version(), 1);
}

void project_is_the_transpose(const Subject& subject) {
  const SmallInputs small;
  const auto subspace = subject.made(small);
  const at::Tensor z0 = random_vector(20, subspace->dim());
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const at::Tensor z = random_vector(30 + seed, subspace->dim()), g = random_vector(40 + seed, subspace->parameters().layout.total());
    double forward = 0;
    if (subspace->linear()) {
      forward = product_of(expanded(*subspace, z), g);
    } else {  // central difference of ⟨expand(z0 + ε z), g⟩
      const double epsilon = 1e-2;
      forward =
          (product_of(expanded(*subspace, z0 + epsilon * z), g) - product_of(expanded(*subspace, z0 - epsilon * z), g)) / (2 * epsilon);
    }
    const double back = product_of(z, subspace->project(z0, g)), scale = z.norm().item<double>() * g.norm().item<double>();
    EXPECT_NEAR(forward, back, (subspace->linear() ? 1e-5 : 1e-2) * scale);
  }
}

void expand_adds(const Subject& subject) {
  const SmallInputs small;
  const auto subspace = subject.made(small);
  const at::Tensor z = random_vector(50, subspace->dim());
  at::Tensor out = at::ones({subspace->parameters().layout.total()}, at::kFloat);
  subspace->expand(z, out);
  EXPECT_TRUE(at::allclose(out - 1, expanded(*subspace, z), 1e-4, 1e-5));
  at::Tensor composed = at::full_like(out, 7);
  subspace->compose(at::ones_like(out), z, composed);
  EXPECT_TRUE(at::equal(composed, out));
  if (subspace->linear()) {
    EXPECT_EQ(expanded(*subspace, at::zeros_like(z)).abs().max().item<float>(), 0);
  }
}

void is_orthonormal_when_claimed(const Subject& subject) {
  const SmallInputs small;
  const auto subspace = subject.made(small);
  if (!subspace->claims_orthonormal()) GTEST_SKIP() << "claims nothing";
  const at::Tensor v = materialise(*subspace).to(at::kDouble);
  EXPECT_LT((v.matmul(v.t()) - at::eye(subspace->dim(), at::kDouble)).abs().max().item<double>(), 1e-5);
}

void keeps_groups_apart(const Subject& subject) {
  const SmallInputs small;
  const auto subspace = subject.made(small);
  const auto offsets = coordinate_offsets(subspace->dims());
  for (size_t g = 0; g < subspace->dims().size(); ++g) {
    at::Tensor z = at::zeros({subspace->dim()}, at::kFloat);
    z.narrow(0, offsets[g], subspace->dims()[g]).fill_(1);
    at::Tensor update = expanded(*subspace, z) - expanded(*subspace, at::zeros_like(z));
    const Group& group = subspace->parameters().groups[g];
    EXPECT_GT(update.narrow(0, group.begin, group.size()).abs().max().item<float>(), 0);
    update.narrow(0, group.begin, group.size()).zero_();
    EXPECT_EQ(update.abs().max().item<float>(), 0);
  }
}

void depends_on_its_key_only(const Subject& subject) {
  const SmallInputs small;
  const auto first = subject.made(small, 5), second = subject.made(small, 5);
  EXPECT_TRUE(at::equal(materialise(*first), materialise(*second)));
  EXPECT_EQ(first->describe(), second->describe());
}

void another_key_gives_another_basis(const Subject& subject) {
  if (!subject.drawn) GTEST_SKIP() << "made of a trajectory or of solutions";
  const SmallInputs small;
  const auto first = subject.made(small, 5), second = subject.made(small, 6);
  const at::Tensor z = random_vector(70, first->dim());
  EXPECT_FALSE(at::equal(expanded(*first, z), expanded(*second, z)));
  if (!first->linear()) return;  // a coordinate may move nothing by itself
  const at::Tensor one = materialise(*first), other = materialise(*second);
  for (int64_t k = 0; k < one.size(0); ++k) EXPECT_GT((one[k] - other[k]).abs().max().item<double>(), 0) << "coordinate " << k;
}

void says_facts_of_every_group_or_of_none(const Subject& subject) {
  const SmallInputs small;
  const auto subspace = subject.made(small);
  const auto groups = subspace->facts().groups;
  if (groups.empty()) return;
  ASSERT_EQ(groups.size(), subspace->parameters().groups.size());
  for (const auto& group : groups) {
    EXPECT_TRUE(std::is_sorted(group.singular_values.rbegin(), group.singular_values.rend()));
    EXPECT_GE(group.update_length, 0);
  }
}

void loads_what_it_saved(const Subject& subject) {
  at::Tensor z, g, update, gradient;
  const SmallInputs target;
  const auto folder = target.folder("saved");
  nlohmann::json description;
  {
    const SmallInputs small;
    const auto subspace = subject.made(small, 5);
    save_subspace(*subspace, subject.method, subject.method.options().resolve(subject.options, subject.method.name()), folder);
    z = random_vector(60, subspace->dim());
    g = random_vector(61, subspace->parameters().layout.total());
    update = expanded(*subspace, z);
    gradient = subspace->project(z, g);
    description = subspace->describe();
  }  // the folder stands alone: what it was made from is gone
  const auto loaded = load_subspace(folder, [&](const std::string&) -> const SubspaceMaker& { return subject.method; });
  EXPECT_TRUE(at::equal(expanded(*loaded, z), update));
  EXPECT_TRUE(at::equal(loaded->project(z, g), gradient));
  EXPECT_EQ(loaded->describe(), description);
}

void refuses_a_foreign_layout(const Subject& subject) {
  const SmallInputs small;
  const auto subspace = subject.made(small);
  const auto folder = small.folder("saved");
  save_subspace(*subspace, subject.method, subject.method.options().resolve(subject.options, subject.method.name()), folder);
  ParameterSet other;
  other.layout.add("somebody.else", {3, small.parameters().layout.total() / 3});
  other.groups = {{"layer 0", 0, other.layout.total()}};
  try {
    subject.method.load(folder, other);
    FAIL() << "a basis of another layout was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
  }
}

}  // namespace

const std::vector<std::pair<const char*, Check>>& subspace_checks() {
  static const std::vector<std::pair<const char*, Check>> all = {{"HasASoundShape", has_a_sound_shape},
                                                                 {"ProjectIsTheTransposeOfExpand", project_is_the_transpose},
                                                                 {"ExpandAdds", expand_adds},
                                                                 {"IsOrthonormal_WhenClaimed", is_orthonormal_when_claimed},
                                                                 {"KeepsGroupsApart", keeps_groups_apart},
                                                                 {"DependsOnItsKeyOnly", depends_on_its_key_only},
                                                                 {"AnotherKeyGivesAnotherBasis", another_key_gives_another_basis},
                                                                 {"SaysFactsOfEveryGroupOrOfNone", says_facts_of_every_group_or_of_none},
                                                                 {"LoadsWhatItSaved", loads_what_it_saved},
                                                                 {"RefusesAForeignLayout", refuses_a_foreign_layout}};
  return all;
}

void register_check(const Case& subject, Subject (*resolve)(const Case&), const char* name, const Check& check) {
  const std::string suite = suite_name(subject.method, subject.options);
  testing::RegisterTest(suite.c_str(), name, nullptr, nullptr, __FILE__, __LINE__,
                        [=]() -> SubspaceTest* { return new SubspaceTest(subject, resolve, check); });
}

void register_subspace_tests() {
  for (const SubspaceCase& subject : subspace_cases())
    for (const auto& [name, check] : subspace_checks()) register_check(subject, subspace_subject, name, check);
}

}  // namespace tsrun::plugin_testing
