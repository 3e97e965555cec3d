#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

namespace tsrun::hra {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("hra", {{"r", 4}}) &&
                   add_delta_case("hra", {{"r", 3}, {"target_modules", "all-linear"}, {"bias", "hra_only"}}) &&
                   add_delta_case("hra", {{"r", 2}, {"apply_GS", true}});

const std::string map = "bert.encoder.layer.1.output.dense";

TEST(Hra, CountsAsByHand) {
  int64_t numbers = 0;
  for (const DeltaMatch& match : attach(delta_method("hra"), small_bert(), {{"r", 5}, {"target_modules", {map}}}).delta->matches())
    numbers += match.numbers;
  EXPECT_EQ(numbers, 5 * 40);
}

/// Reflections one by one.
TEST(Hra, MultipliesReflectionsInTheirOrder) {
  const c10::NoGradGuard guard;
  const Attached attached = attach(delta_method("hra"), small_bert(), {{"r", 5}, {"target_modules", {map}}});
  at::Tensor w = attached.random.at(map + ".weight");
  for (int64_t i = 0; i < 5; ++i) {
    const at::Tensor u = attached.random.at(map + ".hra_u").select(1, i);
    w = w - 2 * at::outer(at::matmul(w, u), u) / u.dot(u);
  }
  EXPECT_TRUE(at::allclose(attached.delta->merge(attached.random)->at(map + ".weight"), w, 1e-4, 1e-5));
}

TEST(Hra, ReflectsASubspace_WhenTheVectorsAreMadeOrthogonal) {
  const c10::NoGradGuard guard;
  const Attached attached = attach(delta_method("hra"), small_bert(), {{"r", 3}, {"target_modules", {map}}, {"apply_GS", true}});
  const at::Tensor u = attached.random.at(map + ".hra_u"), w = attached.random.at(map + ".weight");
  const at::Tensor merged = attached.delta->merge(attached.random)->at(map + ".weight");
  const at::Tensor inverse = at::linalg_inv(at::matmul(u.t(), u));
  const at::Tensor projector = at::matmul(at::matmul(u, inverse), u.t());
  EXPECT_TRUE(at::allclose(merged, w - 2 * at::matmul(w, projector), 1e-4, 1e-5));
}

TEST(Hra, StartsWithPairs_WhereTheyCancel) {
  const Attached even = attach(delta_method("hra"), small_bert(), {{"r", 4}, {"target_modules", {map}}});
  const at::Tensor u = even.first.at(map + ".hra_u");
  EXPECT_TRUE(at::equal(u.select(1, 0), u.select(1, 1)));
  EXPECT_FALSE(at::equal(u.select(1, 1), u.select(1, 2)));
  EXPECT_FALSE(attach(delta_method("hra"), small_bert(), {{"r", 3}}).delta->starts_as_identity());
  const Attached orthogonal = attach(delta_method("hra"), small_bert(), {{"r", 4}, {"target_modules", {map}}, {"apply_GS", true}});
  EXPECT_FALSE(orthogonal.delta->starts_as_identity());
  EXPECT_TRUE(orthogonal.delta->merge(orthogonal.first)->at(map + ".weight").isfinite().all().item<bool>());
}

TEST(Hra, RefusesMoreOrthogonalVectorsThanInputs) {
  try {
    attach(delta_method("hra"), small_bert(), {{"r", 25}, {"apply_GS", true}});
    FAIL() << "25 orthogonal vectors of 24 numbers were accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("at most 24"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::hra
