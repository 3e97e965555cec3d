#include "tsrun/tune/trajectory.h"

#include "tsrun/base/operators.h"
#include "unit/tune/fakes.h"

#include <fstream>

namespace tsrun {
namespace {

using testing_tune::error_of;
using testing_tune::TemporaryFolder;

const Layout layout = Layout().add("a", {3, 5}).add("b", {7});

at::Tensor point(int64_t i) { return at::arange(22, at::kFloat).mul(0.1).add(0.5 * static_cast<double>(i)); }

std::vector<float> row(const Trajectory& trajectory, size_t i) {
  std::vector<float> out(22, 0);
  std::vector<double> c(static_cast<size_t>(trajectory.size()), 0.0);
  c[i] = 1;
  add_combination(trajectory.differences(), c, out);
  return out;
}

void record(const std::filesystem::path& folder, int64_t points, RowType type = RowType::float32) {
  TrajectoryWriter writer(folder, layout, point(0), type);
  for (int64_t i = 1; i <= points; ++i) writer.append({10 * i, static_cast<double>(i)}, point(i));
}

TEST(Trajectory, KeepsOriginAndDifferences) {
  const TemporaryFolder folder;
  for (RowType type : {RowType::float32, RowType::bfloat16}) {
    const auto path = folder / (type == RowType::float32 ? "f32" : "bf16");
    record(path, 3, type);
    const Trajectory trajectory = Trajectory::open(path);
    EXPECT_EQ(trajectory.layout(), layout);
    ASSERT_EQ(trajectory.size(), 3);
    EXPECT_EQ(trajectory.points()[2].step, 30);
    EXPECT_FLOAT_EQ(trajectory.origin()[4], 0.4f);
    EXPECT_NEAR(row(trajectory, 1)[21], 1.0, 1e-6);
  }
  EXPECT_LT(std::filesystem::file_size(folder / "bf16" / "row-00001.safetensors"),
            std::filesystem::file_size(folder / "f32" / "row-00001.safetensors"));
}

TEST(Trajectory, ResumeDropsLaterPoints_AndGoesOnBitEqual) {
  const TemporaryFolder folder;
  record(folder / "whole", 4);
  record(folder / "resumed", 4);
  {
    TrajectoryWriter writer = TrajectoryWriter::resume(folder / "resumed", 25);
    EXPECT_EQ(writer.size(), 2);
    EXPECT_FALSE(std::filesystem::exists(folder / "resumed" / "row-00003.safetensors"));
    for (int64_t i = 3; i <= 4; ++i) writer.append({10 * i, static_cast<double>(i)}, point(i));
  }
  const Trajectory a = Trajectory::open(folder / "whole"), b = Trajectory::open(folder / "resumed");
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(row(a, i), row(b, i));
}

TEST(Trajectory, ReadsWhatIsThere_WhenARowWasWrittenButNotListed) {
  const TemporaryFolder folder;
  record(folder / "t", 2);
  std::filesystem::copy_file(folder / "t" / "row-00002.safetensors", folder / "t" / "row-00003.safetensors");
  EXPECT_EQ(Trajectory::open(folder / "t").size(), 2);
  TrajectoryWriter::resume(folder / "t", 100).append({30, 3}, point(3));
  EXPECT_EQ(Trajectory::open(folder / "t").size(), 3);
}

TEST(Trajectory, RefusesDamage) {
  const TemporaryFolder folder;
  error_of(ErrorKind::data, [&] { Trajectory::open(folder / "absent"); });
  record(folder / "t", 2);
  std::filesystem::remove(folder / "t" / "row-00002.safetensors");
  error_of(ErrorKind::data, [&] { Trajectory::open(folder / "t"); });
  record(folder / "u", 1);
  record(folder / "v", 1, RowType::bfloat16);
  std::filesystem::copy_file(folder / "v" / "row-00001.safetensors", folder / "u" / "row-00001.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_NE(error_of(ErrorKind::data, [&] { Trajectory::open(folder / "u"); }).find("BF16"), std::string::npos);
  std::ofstream(folder / "u" / "trajectory.json") << "{\"format\": 2}";
  error_of(ErrorKind::data, [&] { Trajectory::open(folder / "u"); });
}

}  // namespace
}  // namespace tsrun
