#include "tsrun/tune/trajectory.h"

#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

namespace tsrun {
namespace {

constexpr int trajectory_format = 1;
const char* const trajectory_index = "trajectory.json";
const char* const origin_name = "origin.safetensors";
const char* const tensor_name = "flat";

std::string row_name(size_t index) { return fmt::format("row-{:05}.safetensors", index + 1); }
std::string_view type_name(RowType type) { return type == RowType::float32 ? "float32" : "bfloat16"; }
DataType data_type(RowType type) { return type == RowType::float32 ? DataType::float32 : DataType::bfloat16; }

void write_flat(const std::filesystem::path& path, const at::Tensor& flat, RowType type) {
  const auto bytes = static_cast<size_t>(flat.numel()) * static_cast<size_t>(size_of(data_type(type)));
  const TensorInfo info{tensor_name, data_type(type), {flat.numel()}, {static_cast<const std::byte*>(flat.const_data_ptr()), bytes}};
  write_safetensors(path, {&info, 1});
}

std::shared_ptr<const SafetensorsFile> open_flat(const std::filesystem::path& path, DataType type, int64_t size) {
  auto file = std::make_shared<const SafetensorsFile>(SafetensorsFile::open(path));
  const TensorInfo* flat = file->find(tensor_name);
  if (!flat) data_error("{}: no tensor '{}'", path.string(), tensor_name);
  if (flat->type != type || flat->shape != std::vector<int64_t>{size})
    data_error("{}: '{}' has {} elements of {}, expected {} of {}", path.string(), tensor_name,
               flat->bytes.size() / static_cast<size_t>(size_of(flat->type)), name_of(flat->type), size, name_of(type));
  return file;
}

struct Index {
  Layout layout;
  RowType type = RowType::float32;
  std::vector<TrajectoryPoint> points;
};

Index read_index(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / trajectory_index;
  const nlohmann::json json = read_json(path);
  Index index;
  try {
    if (json.at("format") != trajectory_format)
      data_error("{}: format {} is not the {} that this program reads", path.string(), json["format"].dump(), trajectory_format);
    index.layout = Layout::from_json(json.at("layout"));
    const auto type = json.at("type").get<std::string>();
    if (type != "float32" && type != "bfloat16") data_error("{}: rows of type '{}', expected float32 or bfloat16", path.string(), type);
    index.type = type == "float32" ? RowType::float32 : RowType::bfloat16;
    for (const auto& point : json.at("points")) index.points.push_back({point.at("step").get<int64_t>(), point.at("epoch").get<double>()});
  } catch (const nlohmann::json::exception& e) {
    data_error("{}: not a trajectory: {}", path.string(), e.what());
  }
  return index;
}

}  // namespace

Trajectory Trajectory::open(const std::filesystem::path& folder) {
  Index index = read_index(folder);
  Trajectory trajectory;
  trajectory.folder_ = folder;
  trajectory.layout_ = std::move(index.layout);
  trajectory.type_ = index.type;
  trajectory.points_ = std::move(index.points);
  const int64_t total = trajectory.layout_.total();
  trajectory.origin_ = open_flat(folder / origin_name, DataType::float32, total);
  for (size_t i = 0; i < trajectory.points_.size(); ++i)
    trajectory.rows_.push_back(open_flat(folder / row_name(i), data_type(trajectory.type_), total));
  return trajectory;
}

std::span<const float> Trajectory::origin() const {
  const auto bytes = origin_->find(tensor_name)->bytes;
  return {reinterpret_cast<const float*>(bytes.data()), static_cast<size_t>(layout_.total())};
}

Rows Trajectory::differences() const {
  Rows rows{{}, type_, layout_.total()};
  for (const auto& row : rows_) rows.data.push_back(row->find(tensor_name)->bytes.data());
  return rows;
}

TrajectoryWriter::TrajectoryWriter(std::filesystem::path folder, Layout layout, const at::Tensor& origin, RowType type)
    : folder_(std::move(folder)),
      layout_(std::move(layout)),
      origin_(origin.detach().to(at::kCPU, at::kFloat).contiguous().clone()),
      type_(type) {
  remove_stale_temporaries(folder_);
  if (origin_.numel() != layout_.total())
    internal_error("trajectory: an origin of {} for a layout of {}", origin_.numel(), layout_.total());
  std::filesystem::create_directories(folder_);
  write_flat(folder_ / origin_name, origin_, RowType::float32);
  write_index();
}

TrajectoryWriter TrajectoryWriter::resume(std::filesystem::path folder, int64_t step) {
  remove_stale_temporaries(folder);
  Index index = read_index(folder);
  TrajectoryWriter writer;
  writer.folder_ = std::move(folder);
  writer.layout_ = std::move(index.layout);
  writer.type_ = index.type;
  const auto file = open_flat(writer.folder_ / origin_name, DataType::float32, writer.layout_.total());
  writer.origin_ = at::empty({writer.layout_.total()}, at::kFloat);
  const auto bytes = file->find(tensor_name)->bytes;
  std::copy(bytes.begin(), bytes.end(), static_cast<std::byte*>(writer.origin_.data_ptr()));
  for (const TrajectoryPoint& point : index.points)
    if (point.step <= step) writer.points_.push_back(point);
  writer.write_index();
  for (size_t i = writer.points_.size(); std::filesystem::remove(writer.folder_ / row_name(i)); ++i) continue;
  return writer;
}

void TrajectoryWriter::append(const TrajectoryPoint& point, const at::Tensor& flat_weights) {
  const at::NoGradGuard no_grad;
  if (!points_.empty() && point.step <= points_.back().step)
    internal_error("trajectory: step {} after step {}", point.step, points_.back().step);
  if (flat_weights.numel() != layout_.total())
    internal_error("trajectory: {} weights for a layout of {}", flat_weights.numel(), layout_.total());
  at::Tensor difference = flat_weights.detach().to(at::kCPU, at::kFloat) - origin_;
  if (type_ == RowType::bfloat16) difference = difference.to(at::kBFloat16);
  write_flat(folder_ / row_name(points_.size()), difference.contiguous(), type_);
  points_.push_back(point);
  write_index();
}

void TrajectoryWriter::write_index() const {
  auto points = nlohmann::json::array();
  for (const TrajectoryPoint& point : points_) points.push_back({{"step", point.step}, {"epoch", point.epoch}});
  const nlohmann::json index = {
      {"format", trajectory_format}, {"layout", layout_.to_json()}, {"type", type_name(type_)}, {"points", points}};
  write_durable(folder_ / trajectory_index, index.dump(1) + "\n");
}

}  // namespace tsrun
