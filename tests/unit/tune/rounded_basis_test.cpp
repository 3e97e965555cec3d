#include "tsrun/tune/rounded_basis.h"

#include "tsrun/base/files.h"
#include "unit/tune/fakes.h"

namespace tsrun::testing_tune {
namespace {

/// Orthonormal directions in two groups, of which the second has fewer: random ones, or axes, which rounding leaves as they are.
class DrawnBasis final : public Subspace {
 public:
  explicit DrawnBasis(int64_t size = 4000, bool axes = false) {
    set_.layout.add("a", {size});
    set_.layout.add("b", {size / 2});
    set_.groups = {{"first", 0, size}, {"second", size, size + size / 2}};
    for (size_t g = 0; g < 2; ++g) {
      at::Tensor rows = at::empty({set_.groups[g].size(), dims_[g]});
      fill_normal(Key::root(g + 1), {rows.data_ptr<float>(), static_cast<size_t>(rows.numel())});
      rows_.push_back((axes ? at::eye(rows.size(0), dims_[g]) : std::get<0>(at::linalg_qr(rows))).t().contiguous());
    }
  }
  const ParameterSet& parameters() const override { return set_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override {
    int64_t first = 0;
    for (size_t g = 0; g < 2; ++g) {
      out.slice(0, set_.groups[g].begin, set_.groups[g].end).add_(rows_[g].t().mv(z.narrow(0, first, dims_[g])));
      first += dims_[g];
    }
  }
  at::Tensor project(const at::Tensor& /*z*/, const at::Tensor& g) const override {
    return at::cat({rows_[0].mv(g.slice(0, 0, set_.groups[0].end)), rows_[1].mv(g.slice(0, set_.groups[1].begin, set_.groups[1].end))});
  }
  bool linear() const override { return linear_; }
  bool claims_orthonormal() const override { return true; }
  SubspaceFacts facts() const override { return {{{{3, 2, 1}, 0.5}, {{2, 1}, 0.25}}}; }
  nlohmann::json describe() const override { return {{"groups", {nlohmann::json::object(), nlohmann::json::object()}}}; }
  void save(const std::filesystem::path& /*folder*/) const override {}
  int64_t bytes_shipped() const override { return 0; }
  bool linear_ = true;

 private:
  ParameterSet set_;
  std::vector<int64_t> dims_ = {3, 2};
  std::vector<at::Tensor> rows_;
};

at::Tensor expanded(const Subspace& basis, const at::Tensor& z) {
  at::Tensor out = at::zeros({basis.parameters().layout.total()});
  basis.expand(z, out);
  return out;
}

Options options(const nlohmann::json& given) { return RoundedMaker().options().resolve(given, "quantize"); }

std::unique_ptr<Subspace> loaded(const std::filesystem::path& folder) {
  static const RoundedMaker maker;
  return load_subspace(folder, [](const std::string&) -> const SubspaceMaker& { return maker; });
}

struct FormCase {
  nlohmann::json given;
  double error;       ///< of an expanded vector, relative
  int64_t row_bytes;  ///< of all directions
};

class RoundedFolderTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("rounded-" + std::to_string(::getpid()));
};

class RoundedBasisTest : public RoundedFolderTest, public ::testing::WithParamInterface<FormCase> {};

TEST_P(RoundedBasisTest, SpansNearlyWhatItWasMadeOf_InFewBytes) {
  const DrawnBasis exact;
  const auto basis = round_basis(exact, options(GetParam().given), folder_);
  const at::Tensor z = at::tensor({1.F, -2.F, 0.5F, 3.F, -1.F});
  const at::Tensor whole = expanded(exact, z);
  EXPECT_LT((expanded(*basis, z) - whole).norm().item<double>(), GetParam().error * whole.norm().item<double>());
  EXPECT_EQ(basis->bytes_shipped(), GetParam().row_bytes);
  EXPECT_EQ(basis->dims(), exact.dims());
  EXPECT_EQ(basis->facts().groups.at(1).update_length, 0.25);
}

TEST_P(RoundedBasisTest, ProjectsByTheTranspose) {
  const auto basis = round_basis(DrawnBasis(), options(GetParam().given), folder_);
  at::Tensor g = at::empty({6000});
  fill_normal(Key::root(9), {g.data_ptr<float>(), 6000});
  const at::Tensor z = at::tensor({1.F, -2.F, 0.5F, 3.F, -1.F});
  EXPECT_NEAR(expanded(*basis, z).dot(g).item<double>(), basis->project(z, g).dot(z).item<double>(), 1e-3);
}

TEST_P(RoundedBasisTest, IsTheSame_WhenItIsReadAgain) {
  const auto basis = round_basis(DrawnBasis(), options(GetParam().given), folder_);
  const auto again = loaded(folder_);
  const at::Tensor z = at::tensor({1.F, -2.F, 0.5F, 3.F, -1.F});
  EXPECT_TRUE(at::equal(expanded(*again, z), expanded(*basis, z)));
  EXPECT_EQ(again->describe(), basis->describe());
  const auto copy = folder_ / "copy";
  save_subspace(*again, RoundedMaker(), options(GetParam().given), copy);
  EXPECT_TRUE(at::equal(expanded(*loaded(copy), z), expanded(*basis, z))) << "its own folder stands alone";
}

INSTANTIATE_TEST_SUITE_P(Forms, RoundedBasisTest,
                         ::testing::Values(FormCase{{{"form", "bf16"}}, 4e-3, 2 * (3 * 4000 + 2 * 2000)},
                                           FormCase{{{"form", "int8"}}, 1.5e-2, 3 * 4000 + 2 * 2000 + 4 * (3 * 16 + 2 * 8)},
                                           FormCase{{{"form", "int8"}, {"block", 0}}, 2e-2, 3 * 4000 + 2 * 2000 + 4 * 5}));

TEST_F(RoundedFolderTest, ClaimsOrthonormalColumns_OnlyWhereTheyAre) {
  const auto small = round_basis(DrawnBasis(64), options({{"form", "int8"}, {"block", 0}}), folder_);
  EXPECT_FALSE(small->claims_orthonormal());
  EXPECT_GT(small->describe().at("orthonormality_error"), 1e-5);
  std::filesystem::remove_all(folder_);
  EXPECT_TRUE(round_basis(DrawnBasis(64, true), options({{"form", "bf16"}}), folder_)->claims_orthonormal());
}

TEST_F(RoundedFolderTest, RefusesAMapThatIsNotLinear_AndAnOddBlock) {
  DrawnBasis basis;
  EXPECT_THROW(round_basis(basis, options({{"form", "int8"}, {"block", 100}}), folder_), Error);
  basis.linear_ = false;
  EXPECT_THROW(round_basis(basis, options({}), folder_), Error);
}

TEST_F(RoundedFolderTest, RefusesADamagedFolder) {
  round_basis(DrawnBasis(), options({}), folder_);
  std::filesystem::remove(folder_ / "direction-00001.safetensors");
  EXPECT_THROW(loaded(folder_), Error);
}

}  // namespace
}  // namespace tsrun::testing_tune
