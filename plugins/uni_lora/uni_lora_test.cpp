#include "tsrun/plugin_testing/delta.h"
#include "tsrun/plugin_testing/subspace.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"

#include <gtest/gtest.h>

#include "support/errors.h"

#include <c10/core/GradMode.h>

#include <cmath>
#include <regex>

namespace tsrun::uni_lora {
namespace {

using namespace plugin_testing;

const bool cases = add_subspace_case("uni_lora", {{"dim", 7}}) && add_subspace_case("uni_lora", {{"dim", 50}, {"origin", "kept"}}) &&
                   add_subspace_case("uni_lora", {{"dim", 2}, {"origin", "kept"}});

const SubspaceMethod& method() { return subspace_method("uni_lora"); }

TEST(UniLora, GivesEveryParameterOneCoordinate_AndEveryCoordinateAsManyParameters) {
  const SmallInputs small;
  const auto basis = discover(method(), small, {{"dim", 9}});
  const at::Tensor v = materialise(*basis).slice(0, 0, 9).slice(1, 0, small.parameters().groups[0].end) != 0;
  EXPECT_TRUE((v.sum(0) == 1).all().item<bool>());
  EXPECT_LE(v.sum(1).max().item<int64_t>() - v.sum(1).min().item<int64_t>(), 1);
}

TEST(UniLora, KeepsDistancesExactly) {
  const SmallInputs small;
  const auto basis = discover(method(), small, {{"dim", 9}, {"origin", "kept"}});
  const at::Tensor z = at::arange(18, at::kFloat);
  at::Tensor out = at::zeros({small.parameters().layout.total()}, at::kFloat);
  basis->expand(z, out);
  EXPECT_NEAR(out.norm().item<double>() / z.norm().item<double>(), 1, 1e-6);
}

TEST(UniLora, ReplacesTheInitialValues_UnlessTheyAreKept) {
  const SmallInputs small;
  for (const bool kept : {false, true}) {
    const auto basis = discover(method(), small, {{"dim", 9}, {"origin", kept ? "kept" : "dropped"}});
    at::Tensor theta = small.origin().clone();
    basis->expand(at::zeros({18}, at::kFloat), theta);
    EXPECT_TRUE(at::equal(theta, kept ? small.origin() : at::zeros_like(theta)));
    EXPECT_EQ(basis->initial_width(), kept ? 0 : 0.02);                        // at zero, factors of zero would have no gradient
    EXPECT_EQ(basis->bytes_shipped(), kept ? 0 : 4 * small.origin().numel());  // the origin is needed to drop it
  }
}

TEST(UniLora, GivesTheSameBits_WithAnyNumberOfThreads) {
  SubspaceInputs inputs;
  inputs.parameters.layout.add("weight", {900000});
  inputs.parameters.groups = {{"whole", 0, 900000}};
  const auto basis = method().discover(inputs, method().options().resolve({{"dim", 90}, {"origin", "kept"}}, "here"));
  const int before = threads();
  std::vector<at::Tensor> found;
  for (const int count : {1, 3}) {
    set_threads(count);
    at::Tensor out = at::ones({900000}, at::kFloat);
    basis->expand(at::ones({90}, at::kFloat), out);
    found.push_back(at::cat({out, basis->project({}, out)}));
  }
  set_threads(before);
  EXPECT_TRUE(at::equal(found[0], found[1]));
}

TEST(UniLora, RefusesMoreCoordinatesThanParameters_WithBothNumbers) {
  const SmallInputs small;
  try {
    discover(method(), small, {{"dim", 2976}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("2976 coordinates"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("2975 parameters"), std::string::npos) << error.what();
  }
}

TEST(UniLora, RefusesAStartThatNothingReads_AndOneThatCannotMove) {
  const SmallInputs small;
  const auto refusal = [&](const nlohmann::json& options) {
    return testing::message_of(ErrorKind::user, [&] { discover(method(), small, options); });
  };
  EXPECT_THAT(refusal({{"dim", 9}, {"origin", "kept"}, {"width", 0.1}}), ::testing::HasSubstr("uni_lora: nothing reads option 'width'"));
  EXPECT_THAT(refusal({{"dim", 9}, {"width", 0}}), ::testing::HasSubstr("width is 0"));
}

/// Numbers in the braces of ts.adapt on the page, without the seed.
nlohmann::json adapted_on_the_page() {
  const std::string page = read_text(TSRUN_SOURCE_DIR "/plugins/uni_lora/method.md");
  const size_t begin = page.find("ts.adapt("), end = page.find('}', begin);
  const std::string call = page.substr(begin, end - begin);
  const std::regex number(R"((\w+) = (\d+))");
  nlohmann::json options = nlohmann::json::object();
  for (std::sregex_iterator found(call.begin(), call.end(), number), none; found != none; ++found)
    options[(*found)[1]] = std::stoi((*found)[2]);
  options.erase("seed");
  return options;
}

TEST(UniLora, LeavesTheProductOfTheFactorsUnscaled_OnItsPage) {
  const c10::NoGradGuard guard;
  const std::string map = "bert.encoder.layer.1.attention.self.query";
  const Attached lora = attach(delta_method("lora"), small_bert(), adapted_on_the_page());
  const at::Tensor update = lora.delta->merge(lora.random)->at(map + ".weight") - lora.random.at(map + ".weight");
  const at::Tensor a = lora.random.at(map + ".lora_A.weight"), b = lora.random.at(map + ".lora_B.weight");
  EXPECT_GT(update.norm().item<double>(), 1e-3);
  EXPECT_TRUE(at::allclose(update, at::matmul(b, a), 1e-4, 1e-5));
}

}  // namespace
}  // namespace tsrun::uni_lora
