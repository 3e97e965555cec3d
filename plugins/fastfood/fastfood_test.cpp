#include "tsrun/plugin_testing/subspace.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"

#include <gtest/gtest.h>

#include <bit>

namespace tsrun::fastfood {
namespace {

using namespace plugin_testing;

const bool cases = [] {
  for (const char* transform : {"tensor", "group"})
    for (const char* scaling : {"unit", "released"})
      add_subspace_case("fastfood", {{"dim", 9}, {"transform", transform}, {"scaling", scaling}});
  return add_subspace_case("fastfood", {{"dim", 1}}) && add_subspace_case("fastfood", {{"dim", 100}});  // more than a bias has numbers
}();

const SubspaceMethod& method() { return subspace_method("fastfood"); }

/// Lengths of V's columns within the tensor `slice`.
at::Tensor lengths_within(const Subspace& basis, const Slice& slice, int64_t first, int64_t count) {
  return materialise(basis).slice(0, first, first + count).slice(1, slice.offset, slice.offset + slice.size).norm(2, 1);
}

TEST(Fastfood, HasColumnsOfLengthOne_OverEachGroupByDefault) {
  const SmallInputs small;
  for (const char* transform : {"tensor", "group"}) {
    const auto basis = discover(method(), small, {{"dim", 8}, {"transform", transform}});
    EXPECT_LT((materialise(*basis).norm(2, 1) - 1).abs().max().item<double>(), 0.1) << transform;
  }
}

TEST(Fastfood, HasColumnsOfLengthOneInEveryTensor_UnderTheReleasedScaling) {
  const SmallInputs small;
  const auto basis = discover(method(), small, {{"dim", 8}, {"scaling", "released"}});
  for (const char* name : {"encoder.layer.0.dense.weight", "encoder.layer.0.dense.bias", "encoder.layer.0.LayerNorm.weight"}) {
    const Slice& slice = *small.parameters().layout.find(name);
    EXPECT_NEAR(lengths_within(*basis, slice, 0, 8).mean().item<double>(), 1, 0.15) << name;
  }
}

TEST(Fastfood, DividesEachTensorsGradientByItsPaddedLength_UnderTheReleasedGradient) {
  const SmallInputs small;
  const auto exact = discover(method(), small, {{"dim", 8}}), released = discover(method(), small, {{"dim", 8}, {"gradient", "released"}});
  const at::Tensor z = at::zeros({16}, at::kFloat);
  for (const Slice& slice : small.parameters().layout.slices()) {
    at::Tensor g = at::zeros({small.parameters().layout.total()}, at::kFloat);
    g.slice(0, slice.offset, slice.offset + slice.size).fill_(1);
    const auto length = static_cast<double>(std::bit_ceil(static_cast<uint64_t>(slice.size)));
    EXPECT_TRUE(at::allclose(released->project(z, g) * length, exact->project(z, g), 1e-5, 1e-6)) << slice.name;
  }
}

TEST(Fastfood, LeavesLaterCoordinatesOutOfShortTensors_AsTheReleaseDoes) {
  const SmallInputs small;
  const auto basis = discover(method(), small, {{"dim", 100}});
  const Slice& bias = *small.parameters().layout.find("encoder.layer.0.dense.bias");  // 47 numbers, padded to 64
  const at::Tensor lengths = lengths_within(*basis, bias, 0, 100);
  EXPECT_GT(lengths.slice(0, 0, 64).min().item<double>(), 0);
  EXPECT_EQ(lengths.slice(0, 64).max().item<double>(), 0);
}

TEST(Fastfood, RefusesMoreCoordinatesThanItsLongestTensorTakes_WithBothNumbers) {
  const SmallInputs small;
  try {
    discover(method(), small, {{"dim", 4097}});  // 47 x 61 numbers, padded to 4096
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("4097"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("4096"), std::string::npos);
  }
}

TEST(Fastfood, GivesTheSameBits_WithAnyNumberOfThreads) {
  const SmallInputs small;
  const int before = threads();
  std::vector<at::Tensor> found;
  for (const int count : {1, 3}) {
    set_threads(count);
    const auto basis = discover(method(), small, {{"dim", 30}});
    at::Tensor out = at::zeros({small.parameters().layout.total()}, at::kFloat);
    basis->expand(at::ones({60}, at::kFloat), out);
    found.push_back(at::cat({out, basis->project(at::ones({60}, at::kFloat), out)}));
  }
  set_threads(before);
  EXPECT_TRUE(at::equal(found[0], found[1]));
}

TEST(Fastfood, ShipsNothingButItsKey_AndRefusesToLoad_WhenTheKeyDrawsOtherNumbers) {
  const SmallInputs small;
  const auto folder = small.folder("saved");
  const auto basis = discover(method(), small, {{"dim", 4}});
  basis->save(folder);
  EXPECT_EQ(basis->bytes_shipped(), 0);
  EXPECT_LT(std::filesystem::file_size(folder / "key.json"), 1000u);
  nlohmann::json index = read_json(folder / "key.json");
  index["key"][0] = index["key"][0].get<uint32_t>() ^ 1;
  write_durable(folder / "key.json", index.dump());
  EXPECT_THROW(method().load(folder, small.parameters()), Error);
}

}  // namespace
}  // namespace tsrun::fastfood
