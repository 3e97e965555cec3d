#include "tsrun/plugin_testing/delta.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

#include <c10/core/GradMode.h>

namespace tsrun::fourierft {
namespace {

using namespace plugin_testing;

const bool cases = add_delta_case("fourierft", {{"n_frequency", 30}}) &&
                   add_delta_case("fourierft", {{"n_frequency", 12}, {"init_weights", true}, {"target_modules", "all-linear"}}) &&
                   add_delta_case("fourierft", {{"n_frequency", 20},
                                                {"bias", "fourierft_only"},
                                                {"target_modules", {"value", "intermediate.dense", "mlp.c_proj", "wi"}},
                                                {"n_frequency_pattern", {{"value", 9}}}});

TEST(FourierFt, CountsAsByHand) {
  int64_t numbers = 0;
  const Attached attached = attach(delta_method("fourierft"), small_bert(), {{"n_frequency", 30}, {"n_frequency_pattern", {{"value", 9}}}});
  for (const DeltaMatch& match : attached.delta->matches()) numbers += match.numbers;
  EXPECT_EQ(numbers, 2 * (30 + 9));
}

/// The update of a layer of 24 outputs and 40 inputs whose coefficients fill the whole spectrum, so that their places do not matter.
TEST(FourierFt, AddsTheRealPartOfTheWholeInverseTransform) {
  const c10::NoGradGuard guard;
  const std::string map = "bert.encoder.layer.0.output.dense";
  const Attached attached =
      attach(delta_method("fourierft"), small_bert(), {{"n_frequency", 24 * 40}, {"scaling", 7.0}, {"target_modules", {map}}});
  Weights weights = attached.random;
  const at::Tensor ones = at::ones({24 * 40});
  weights.set(map + ".fourierft_spectrum", ones);
  at::Tensor expected = at::zeros({24, 40});
  expected[0][0] = 7;  // all coefficients equal: a pulse
  const at::Tensor update = attached.delta->merge(weights)->at(map + ".weight") - weights.at(map + ".weight");
  EXPECT_TRUE(at::allclose(update, expected, 1e-4, 1e-5));
}

TEST(FourierFt, SaysHowManyCoefficientsFit) {
  try {
    attach(delta_method("fourierft"), small_bert());
    FAIL() << "1000 coefficients of 24 x 24 were accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("expected 1 to 576"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tsrun::fourierft
