#include "tsrun/plugin_testing/joint.h"

#include "decoder.h"
#include "dense_map.h"
#include "fastfood.h"
#include "method.h"
#include "pulls.h"

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"
#include "tsrun/train/diverged.h"
#include "tsrun/train/optimizer.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

namespace tsrun::shared_vector {
namespace {

using plugin_testing::SmallInputs;
using Json = nlohmann::json;

/// The suite's one member is called "member".
Json random_case(int64_t dim, const std::string& map, const std::string& offset) {
  return {{"dim", dim}, {"fit", "random"}, {"maps", {{"member", map}}}, {"offset", offset}};
}
const bool cases =
    plugin_testing::add_joint_case("shared_vector", random_case(1, "fastfood", "keep")) &&
    plugin_testing::add_joint_case("shared_vector", random_case(9, "dense", "keep")) &&
    plugin_testing::add_joint_case("shared_vector", random_case(100, "fastfood", "drop")) &&
    plugin_testing::add_joint_case("shared_vector", {{"dim", 5}, {"steps", 7}, {"eval_every", 3}, {"bias", Json::array()}}) &&
    plugin_testing::add_joint_case("shared_vector",
                                   {{"dim", 4}, {"steps", 6}, {"maps", {{"member", "fastfood"}}}, {"bias", Json::array()}});

at::Tensor dense_hadamard(int64_t n) {
  at::Tensor h = at::empty({n, n}, at::kDouble);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) h[i][j] = std::popcount(static_cast<uint64_t>(i & j)) % 2 == 0 ? 1.0 : -1.0;
  return h;
}

/// V [D, d] from the definition: every factor a dense matrix, Π the whole permutation.
at::Tensor fastfood_by_definition(int64_t size, int64_t dim, Key key) {
  const auto n = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max(size, dim))));
  at::Tensor b = at::zeros({n}, at::kDouble), g = at::empty({n}, at::kFloat), pi = at::zeros({n, n}, at::kDouble);
  Stream signs(key.split("signs"));
  for (int64_t k = 0; k < dim; ++k) b[k] = (signs.next() & 1) != 0 ? 1.0 : -1.0;
  const auto order = permutation(key.split("permutation"), n);
  for (int64_t i = 0; i < n; ++i) pi[i][order[static_cast<size_t>(i)]] = 1.0;
  fill_normal(key.split("gaussian"), floats(g));
  const at::Tensor h = dense_hadamard(n), wide = g.to(at::kDouble);
  const at::Tensor v = h.matmul(at::diag(wide)).matmul(pi).matmul(h).matmul(at::diag(b));
  const double divisor = std::sqrt(static_cast<double>(n) * wide.square().sum().item<double>()) *
                         std::sqrt(static_cast<double>(size) / static_cast<double>(n));
  return v.slice(0, 0, size).slice(1, 0, dim) / divisor;
}

class FastfoodShapes : public ::testing::TestWithParam<std::pair<int64_t, int64_t>> {
 protected:
  int64_t size = GetParam().first, dim = GetParam().second;
  Key key = Key::root(7);
};
INSTANTIATE_TEST_SUITE_P(Shapes, FastfoodShapes,
                         ::testing::Values(std::pair{1, 1}, std::pair{5, 3}, std::pair{64, 8}, std::pair{65, 8}, std::pair{100, 9},
                                           std::pair{20, 33}),
                         [](const auto& info) { return std::to_string(info.param.first) + "By" + std::to_string(info.param.second); });

TEST_P(FastfoodShapes, EqualsItsDenseDefinition) {
  const Fastfood map(size, dim, key, false);
  const at::Tensor v = fastfood_by_definition(size, dim, key), x = normals(1, dim), g = normals(2, size);
  at::Tensor out = at::ones({size}, at::kFloat);
  map.expand(floats(x), floats(out));
  EXPECT_TRUE(at::allclose(out.to(at::kDouble) - 1, v.matmul(x.to(at::kDouble)), 1e-5, 1e-6));
  std::vector<double> back(static_cast<size_t>(dim), 1.0);
  map.project(floats(g), back);
  EXPECT_TRUE(at::allclose(at::tensor(back, at::kDouble) - 1, v.t().matmul(g.to(at::kDouble)), 1e-5, 1e-6));
}

TEST_P(FastfoodShapes, GivesTheGradientOfG_ByFiniteDifferences) {
  const Fastfood map(size, dim, key, false);
  const at::Tensor x = normals(1, dim), g = normals(2, size), direction = normals(3, map.numbers()[0].values.numel());
  std::vector<double> ignored(static_cast<size_t>(dim));
  const at::Tensor gradient = map.gaussian_gradient(floats(x), floats(g), ignored);
  const auto value = [&](double move) {
    map.numbers()[0].values.add_(direction, move);
    at::Tensor out = at::zeros({size}, at::kFloat);
    map.expand(floats(x), floats(out));
    map.numbers()[0].values.sub_(direction, move);
    return product(out, g);
  };
  const double scale = 1e-3 * gradient.norm().item<double>() * direction.norm().item<double>() + 1e-6;
  EXPECT_NEAR((value(0.5) - value(-0.5)), product(gradient, direction), scale);
}

TEST_P(FastfoodShapes, DividesGradientsAsTheReleaseDoes_WhenAsked) {
  const Fastfood map(size, dim, key, false), release(size, dim, key, true);
  const at::Tensor x = normals(1, dim), g = normals(2, size);
  std::vector<double> true_x(static_cast<size_t>(dim)), release_x(true_x);
  const at::Tensor true_g = map.gaussian_gradient(floats(x), floats(g), true_x);
  const at::Tensor release_g = release.gaussian_gradient(floats(x), floats(g), release_x);
  const auto n = static_cast<double>(true_g.numel());
  EXPECT_TRUE(at::allclose(release_g * std::sqrt(n), true_g, 1e-5, 1e-7));
  for (size_t k = 0; k < true_x.size(); ++k) EXPECT_NEAR(release_x[k] * n, true_x[k], 1e-9 + 1e-6 * std::abs(true_x[k]));
}

TEST(Fastfood, HasColumnsAboutAsLongAsOne) {
  const Fastfood map(5000, 4, Key::root(1), false);
  for (const at::Tensor& x : at::eye(4, at::kFloat).unbind()) {
    const at::Tensor out = at::zeros({5000}, at::kFloat);
    map.expand(floats(x), floats(out));
    EXPECT_NEAR(out.norm().item<double>(), 1, 0.1);
  }
}

at::Tensor theta(const Subspace& decoder, const at::Tensor& origin, const at::Tensor& z) {
  at::Tensor out = origin.clone();
  decoder.expand(z, out);
  return out;
}

TEST(Decoder, LeavesNothingOfADroppedOrigin) {
  const at::Tensor origin = normals(4, 50), z = normals(5, 6), none = at::zeros({50}, at::kFloat);
  const Shape shape{.dim = 6, .fastfood = false};
  const Decoder kept(two_tensors(50), shape, Key::root(1)), dropped(two_tensors(50), shape, Key::root(1), origin);
  EXPECT_TRUE(at::equal(theta(dropped, origin, z), theta(kept, none, z)));
  EXPECT_TRUE(at::allclose(theta(dropped, none, z) + origin, theta(kept, none, z), 0, 1e-6));
  EXPECT_TRUE(kept.linear());
  EXPECT_FALSE(dropped.linear());
}

class DecoderShapes : public ::testing::TestWithParam<std::tuple<bool, bool, bool>> {
 protected:
  at::Tensor origin = normals(4, 50), z = normals(5, 6), target = normals(6, 50);
  std::unique_ptr<Decoder> decoder() const {
    const auto [fastfood, bias, drop] = GetParam();
    return std::make_unique<Decoder>(two_tensors(50), Shape{.dim = 6, .fastfood = fastfood, .bias = bias, .deviation = 0.5}, Key::root(1),
                                     drop ? origin : at::Tensor());
  }
  /// ½‖θ − target‖² in float64.
  double loss(const Decoder& decoder, const at::Tensor& at) const {
    return 0.5 * (theta(decoder, origin, at).to(at::kDouble) - target.to(at::kDouble)).square().sum().item<double>();
  }
};
INSTANTIATE_TEST_SUITE_P(Kinds, DecoderShapes,
                         ::testing::Values(std::tuple{true, false, false}, std::tuple{true, false, true}, std::tuple{false, false, false},
                                           std::tuple{false, true, true}),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param) ? "Fastfood" : "Dense") +
                                  (std::get<1>(info.param) ? "WithBias" : "") + (std::get<2>(info.param) ? "WithoutOrigin" : "");
                         });

TEST_P(DecoderShapes, GivesTheGradientOfALossInTheVector_ByFiniteDifferences) {
  const auto map = decoder();
  const at::Tensor gradient = map->project(z, theta(*map, origin, z) - target);
  for (int64_t k = 0; k < 6; ++k) {
    at::Tensor more = z.clone(), less = z.clone();
    more[k] += 0.1;
    less[k] -= 0.1;
    EXPECT_NEAR((loss(*map, more) - loss(*map, less)) / 0.2, gradient[k].item<double>(), 2e-4);
  }
}

/// Adafactor's first step is the learning rate against the gradient's sign, in every number.
TEST_P(DecoderShapes, MovesEveryNumberAgainstItsGradient_ByFiniteDifferences) {
  const auto map = decoder(), moved = decoder();
  std::vector<double> gradient(6, 0.0);
  const at::Tensor g = theta(*map, origin, z) - target, expected = map->project(z, g);
  moved->learn({1, 1e-3}, z, g, gradient);
  for (size_t k = 0; k < 6; ++k) EXPECT_NEAR(gradient[k], expected[static_cast<int64_t>(k)].item<double>(), 1e-5);
  const auto after = moved->numbers();
  for (const auto& [name, values] : map->numbers()) {
    const auto mine = floats(values), theirs = floats(after.at(name));
    for (size_t i = 0; i < mine.size(); ++i) {
      const float start = mine[i];
      mine[i] = start + 0.5f;
      const double more = loss(*map, z);
      mine[i] = start - 0.5f;
      const double slope = more - loss(*map, z);
      mine[i] = start;
      if (std::abs(slope) < 1e-4) continue;
      ASSERT_NEAR(theirs[i] - start, slope > 0 ? -1e-3 : 1e-3, 1e-5) << name << " " << i;
    }
  }
}

TEST_P(DecoderShapes, LoadsWhatWasTrained) {
  const SmallInputs files;
  const auto folder = files.folder("saved");
  const auto map = decoder();
  std::vector<double> gradient(6, 0.0);
  map->learn({1, 0.1}, z, target, gradient);
  map->settle();
  save_subspace(*map, Method(), Method().options().resolve(Json::object(), "here"), folder);
  const auto loaded =
      load_subspace(folder, [](const std::string&) -> const SubspaceMaker& { return plugin_testing::joint_method("shared_vector"); });
  EXPECT_TRUE(at::equal(theta(*loaded, origin, z), theta(*map, origin, z)));
  EXPECT_TRUE(at::equal(loaded->project(z, target), map->project(z, target)));
  EXPECT_EQ(loaded->describe(), map->describe());
  EXPECT_EQ(loaded->linear(), map->linear());
  EXPECT_GT(loaded->bytes_shipped(), 0);
  EXPECT_EQ(loaded->bytes_shipped(), map->bytes_shipped());
}

// ---- training ----

const std::vector<int64_t> small = {40, 65, 90};

JointResult decompose(const JointInputs& inputs, Json options) {
  const Json defaults = {{"dim", 5}, {"steps", 12}, {"eval_every", 4}, {"lr", 0.02}, {"bias", {"prefix"}}};
  for (const auto& [name, value] : defaults.items())
    if (!options.contains(name)) options[name] = value;
  const Method method;
  return method.decompose(inputs, method.options().resolve(options, "here"));
}

JointResult trained(const Json& options = Json::object(), const std::vector<int64_t>& sizes = small) {
  Pulls tasks(sizes);
  return decompose(inputs_for(tasks, sizes), options);
}

void expect_equal(const JointResult& a, const JointResult& b) {
  EXPECT_EQ(a.description.dump(), b.description.dump());
  EXPECT_TRUE(at::equal(a.codes, b.codes));
  ASSERT_EQ(a.decoders.size(), b.decoders.size());
  for (size_t m = 0; m < a.decoders.size(); ++m) {
    const at::Tensor none = at::zeros({a.decoders[m]->parameters().layout.total()}, at::kFloat), z = a.codes[0][0];
    EXPECT_TRUE(at::equal(theta(*a.decoders[m], none, z), theta(*b.decoders[m], none, z)));
  }
}

TEST(SharedVector, BringsMembersOfDifferentSizesNearTheirTasks_FromOneVector) {
  const JointResult result = trained({{"steps", 100}, {"eval_every", 10}});
  ASSERT_EQ(result.decoders.size(), 3u);
  EXPECT_EQ(result.codes.sizes().vec(), (std::vector<int64_t>{2, 3, 5}));
  EXPECT_TRUE(at::equal(result.codes, result.codes[0][0].expand({2, 3, 5})));
  for (const auto& decoder : result.decoders) EXPECT_EQ(decoder->dim(), 5);
  const Json& history = result.description.at("history");
  for (const char* name : {"adapter", "prefix", "full"})
    EXPECT_LT(history.back().at("loss").at(name).get<double>(), 0.7 * history.front().at("loss").at(name).get<double>()) << name;
  EXPECT_EQ(result.description.at("maps").at("full").at("map"), "fastfood");
  EXPECT_EQ(result.description.at("maps").at("full").at("origin"), "kept");
  EXPECT_EQ(result.description.at("maps").at("adapter").at("map"), "dense");
  EXPECT_EQ(result.description.at("maps").at("adapter").at("origin"), "dropped");
  EXPECT_EQ(result.description.at("maps").at("prefix").at("bias"), true);
}

TEST(SharedVector, ChoosesMapsByNameAndSize) {
  const JointResult result =
      trained({{"maps", {{"adapter", "fastfood"}}}, {"fastfood_from", 60}, {"offset", "keep"}, {"bias", Json::array()}});
  const Json& maps = result.description.at("maps");
  EXPECT_EQ(maps.at("adapter").at("map"), "fastfood");
  EXPECT_EQ(maps.at("prefix").at("map"), "fastfood");
  EXPECT_EQ(trained({{"maps", {{"full", "dense"}}}}).description.at("maps").at("full").at("map"), "dense");
}

TEST(SharedVector, KeepsTheBestByDevScore_AndTheFirstOfEquals) {
  Pulls tasks(small);
  tasks.scores = {0.1, 0.7, 0.7};
  const JointResult result = decompose(inputs_for(tasks, small), Json::object());
  EXPECT_EQ(result.description.at("best_step"), 8);
  const JointResult shorter = trained({{"steps", 8}, {"eval_every", 8}});
  EXPECT_TRUE(at::equal(result.codes, shorter.codes));
  const at::Tensor none = at::zeros({90}, at::kFloat), z = result.codes[0][0];
  EXPECT_TRUE(at::equal(theta(*result.decoders[2], none, z), theta(*shorter.decoders[2], none, z)));
}

/// Where a training is stopped: by a signal in the pass of that number, or by an error thrown from it.
class StoppedTraining : public ::testing::TestWithParam<std::pair<int64_t, int64_t>> {};
INSTANTIATE_TEST_SUITE_P(Places, StoppedTraining,
                         ::testing::Values(std::pair{1, -1}, std::pair{26, -1}, std::pair{71, -1}, std::pair{-1, 1}, std::pair{-1, 28},
                                           std::pair{-1, 70}),
                         [](const auto& info) {
                           return info.param.first > 0 ? "SignalInPass" + std::to_string(info.param.first)
                                                       : "ErrorInPass" + std::to_string(info.param.second);
                         });

TEST_P(StoppedTraining, ResumesBitEqual) {
  const SmallInputs files;
  const auto work = files.folder("work");
  watch_interrupts();
  Pulls first(small);
  first.stop_at = GetParam().first;
  first.throw_at = GetParam().second;
  EXPECT_THROW(decompose(inputs_for(first, small, work), Json::object()), Error);
  clear_interrupt();
  Pulls second(small);
  const JointResult resumed = decompose(inputs_for(second, small, work), Json::object());
  EXPECT_LT(second.calls, 6 * 12 + 1);
  expect_equal(resumed, trained());
}

TEST(SharedVector, RefusesTheStateOfOtherOptions) {
  const SmallInputs files;
  const auto work = files.folder("work");
  Pulls tasks(small);
  tasks.throw_at = 20;
  EXPECT_THROW(decompose(inputs_for(tasks, small, work), Json::object()), Error);
  EXPECT_THROW(decompose(inputs_for(tasks, small, work), {{"lr", 0.5}}), Error);
}

TEST(SharedVector, GivesTheSameBytesOnAnyNumberOfThreads) {
  const std::vector<int64_t> sizes = {40000, 50, 150000};
  const Json options = {{"steps", 2}, {"eval_every", 2}};
  const int before = threads();
  set_threads(1);
  const JointResult one = trained(options, sizes);
  set_threads(2);
  expect_equal(one, trained(options, sizes));
  set_threads(before);
}

TEST(SharedVector, StopsAtANonFiniteLoss) {
  Pulls tasks(small);
  tasks.break_at = 14;
  try {
    decompose(inputs_for(tasks, small), Json::object());
    FAIL() << "a NaN was trained on";
  } catch (const Diverged& error) {
    EXPECT_EQ(error.reason(), "loss not finite in step 3");
    EXPECT_EQ(error.steps(), 2);
    EXPECT_NE(std::string(error.what()).find("'adapter' on 'topic' is nan at step 3"), std::string::npos) << error.what();
  }
}

TEST(SharedVector, NamesTheNearestMember_WhenAnOptionNamesNone) {
  for (const auto& [options, expected] : {std::pair<Json, std::string>{{{"maps", {{"adaptor", "dense"}}}}, "did you mean 'adapter'?"},
                                          {{{"maps", {{"adapter", "fastfod"}}}}, "did you mean 'fastfood'?"},
                                          {{{"bias", {"ful"}}}, "did you mean 'full'?"},
                                          {{{"bias", {"full"}}}, "whose map is fastfood"}}) {
    try {
      trained(options);
      FAIL() << "accepted " << options;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::user);
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    }
  }
}

TEST(SharedVector, NeedsTasks) { EXPECT_THROW(decompose(JointInputs(), Json::object()), Error); }

TEST(SharedVector, DrawsMapsWithoutTasks_AsAControl) {
  JointInputs inputs;
  inputs.members.push_back({"adapter", two_tensors(40), normals(60, 40), {}});
  const JointResult result = decompose(inputs, {{"fit", "random"}, {"bias", Json::array()}});
  ASSERT_EQ(result.decoders.size(), 1u);
  EXPECT_FALSE(result.codes.defined());
  EXPECT_EQ(result.decoders[0]->bytes_shipped(), 0);
}

}  // namespace
}  // namespace tsrun::shared_vector
