#include "tsrun/plugin_testing/subspace.h"

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"
#include "tsrun/base/operators.h"

#include <gtest/gtest.h>

namespace tsrun::random_projection {
namespace {

using namespace plugin_testing;

const bool cases = add_subspace_case("random_projection", {{"dim", 1}}) && add_subspace_case("random_projection", {{"dim", 9}});

TEST(RandomProjection, AnotherKeyGivesAnotherBasis) {
  const SmallInputs small;
  const auto& method = subspace_method("random_projection");
  const at::Tensor a = materialise(*discover(method, small, {{"dim", 4}}, 1)), b = materialise(*discover(method, small, {{"dim", 4}}, 2));
  EXPECT_LT(a.matmul(b.t()).abs().max().item<float>(), 0.2);
}

TEST(RandomProjection, ShipsNothingButItsKey) {
  const SmallInputs small;
  const auto& method = subspace_method("random_projection");
  const auto folder = small.folder("saved");
  const auto basis = discover(method, small, {{"dim", 4}});
  basis->save(folder);
  EXPECT_EQ(basis->bytes_shipped(), 0);
  EXPECT_LT(std::filesystem::file_size(folder / "key.json"), 1000u);
}

TEST(RandomProjection, RefusesToLoad_WhenTheKeyDrawsOtherNumbers) {
  const SmallInputs small;
  const auto& method = subspace_method("random_projection");
  const auto folder = small.folder("saved");
  discover(method, small, {{"dim", 4}})->save(folder);
  nlohmann::json index = read_json(folder / "key.json");
  index["digest"] = std::string(64, '0');
  write_durable(folder / "key.json", index.dump());
  EXPECT_THROW(method.load(folder, small.parameters()), Error);
}

TEST(RandomProjection, RefusesDirectionsThatDoNotFitIntoMemory_WithBothSizes) {
  SubspaceInputs inputs;
  inputs.parameters.layout.add("weight", {1 << 20, 1 << 12});
  inputs.parameters.groups = {{"whole", 0, inputs.parameters.layout.total()}};
  const auto& method = subspace_method("random_projection");
  try {
    method.discover(inputs, method.options().resolve({{"dim", 100000}}, "here"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::user);
    EXPECT_NE(std::string(error.what()).find("1600000.0 GiB"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("fastfood"), std::string::npos) << error.what();
  }
}

TEST(RandomProjection, GivesSmallGroupsAsManyDirectionsAsTheyHaveWeights) {
  const SmallInputs small;
  SubspaceInputs inputs = small.inputs();
  inputs.parameters = {};
  inputs.parameters.layout.add("bias", {3});
  inputs.parameters.groups = {{"bias", 0, 3}};
  const auto& method = subspace_method("random_projection");
  EXPECT_EQ(method.discover(inputs, method.options().resolve({{"dim", 8}}, "here"))->dim(), 3);
}

}  // namespace
}  // namespace tsrun::random_projection
