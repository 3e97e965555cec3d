#include "tsrun/train/geometry_recorder.h"

#include "tsrun/base/operators.h"
#include "tsrun/model/finite.h"

namespace tsrun {
namespace {

/// Calls `take` with every number of a geometry but the list of singular values.
template <class Geometry, class Take>
void each_number(Geometry& of, const Take& take) {
  take(of.cosines.mean), take(of.cosines.mean_norm), take(of.cosines.zero_rows);
  take(of.spectrum.largest), take(of.spectrum.rank), take(of.spectrum.top_share), take(of.spectrum.effective_rank);
  take(of.spectrum.condition_number), take(of.isotropy.i1), take(of.isotropy.log_i1), take(of.isotropy.i2);
}

/// All numbers of a point.
template <class Point, class Take>
void each_number_of_point(Point& point, const Take& take) {
  take(point.step), take(point.epoch);
  each_number(point.given, take), each_number(point.centred, take);
}

at::Tensor as_tensor(const std::vector<GeometryPoint>& points) {
  std::vector<double> numbers;
  for (const GeometryPoint& point : points)
    each_number_of_point(point, [&](const auto& number) { numbers.push_back(static_cast<double>(number)); });
  return at::tensor(numbers, at::kDouble);
}

std::vector<GeometryPoint> as_points(const at::Tensor& numbers) {
  const double *next = numbers.const_data_ptr<double>(), *end = next + numbers.numel();
  std::vector<GeometryPoint> points;
  while (next < end)
    each_number_of_point(points.emplace_back(), [&](auto& number) { number = static_cast<std::decay_t<decltype(number)>>(*next++); });
  return points;
}

RowGeometry without_list(RowGeometry geometry) {
  geometry.spectrum.relative.clear();
  return geometry;
}

class GeometryRecorder final : public Observer {
 public:
  GeometryRecorder(GeometryRecording what, std::vector<GeometryPoint>& points) : what_(std::move(what)), finished_(points) {}

  void begin(const Binding& binding, int64_t /*steps_per_epoch*/, int64_t resumed_at_step) override {
    if (resumed_at_step > 0) return;
    points_.clear();
    add(binding);
  }
  void step_ended(const Binding& binding, const StepDone& done) override {
    last_.step = done.step;
    last_.epoch = done.epoch;
    if (done.step % what_.every == 0) add(binding);
  }
  void finished(const Binding& binding) override {
    if (points_.empty() || points_.back().step != last_.step) add(binding);
    finished_ = points_;
  }

  PluginState state() const override {
    return {{"points", as_tensor(points_)}, {"last", at::tensor({static_cast<double>(last_.step), last_.epoch}, at::kDouble)}};
  }
  void restore(const PluginState& state) override {
    points_ = as_points(state.at("points"));
    last_.step = static_cast<int64_t>(state.at("last")[0].item<double>());
    last_.epoch = state.at("last")[1].item<double>();
  }

 private:
  void add(const Binding& binding) {
    const at::NoGradGuard no_grad;
    const at::Tensor rows = whole(binding.weights()).at(what_.parameter).detach().to(at::kCPU);
    if (!all_finite(rows)) return;  // the training itself says so at its next step
    const at::Tensor mean = mean_row(rows);
    GeometryPoint point = last_;
    point.given = without_list(row_geometry(rows, {}, singular_directions(rows, {}), what_.top_k));
    point.centred = without_list(row_geometry(rows, mean, singular_directions(rows, mean), what_.top_k));
    points_.push_back(std::move(point));
  }

  GeometryRecording what_;
  std::vector<GeometryPoint>& finished_;
  std::vector<GeometryPoint> points_;
  GeometryPoint last_;  ///< the last step, without its geometry
};

}  // namespace

std::unique_ptr<Observer> make_geometry_recorder(GeometryRecording what, std::vector<GeometryPoint>& points) {
  return std::make_unique<GeometryRecorder>(std::move(what), points);
}

}  // namespace tsrun
