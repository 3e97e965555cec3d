#include "tsrun/train/geometry_recorder.h"

#include "unit/train/plugged_training.h"

#include <csignal>

namespace tsrun {
namespace {

const std::string kWords = "bert.embeddings.word_embeddings.weight";

class GeometryRecorderTest : public PluggedTraining {
 protected:
  /// 6 steps, measured before, behind steps 4 and 6.
  TrainJob recorded(const std::string& folder, std::vector<GeometryPoint>& points) {
    TrainJob run = job(folder, {{"epochs", 1}, {"batch_size", 16}, {"checkpoint_every", 1}});
    run.observers.push_back(make_geometry_recorder({.parameter = kWords, .every = 4, .top_k = 3}, points));
    return run;
  }
};

void expect_equal(const RowGeometry& a, const RowGeometry& b) {
  EXPECT_EQ(a.cosines.mean, b.cosines.mean);
  EXPECT_EQ(a.cosines.mean_norm, b.cosines.mean_norm);
  EXPECT_EQ(a.cosines.zero_rows, b.cosines.zero_rows);
  EXPECT_EQ(a.spectrum.rank, b.spectrum.rank);
  EXPECT_EQ(a.spectrum.largest, b.spectrum.largest);
  EXPECT_EQ(a.spectrum.top_share, b.spectrum.top_share);
  EXPECT_EQ(a.spectrum.effective_rank, b.spectrum.effective_rank);
  EXPECT_EQ(a.spectrum.condition_number, b.spectrum.condition_number);
  EXPECT_EQ(a.isotropy.i1, b.isotropy.i1);
  EXPECT_EQ(a.isotropy.log_i1, b.isotropy.log_i1);
  EXPECT_EQ(a.isotropy.i2, b.isotropy.i2);
}

TEST_F(GeometryRecorderTest, MeasuresTheStart_EveryInterval_AndTheEnd) {
  std::vector<GeometryPoint> points;
  const TrainResult result = train(recorded("a", points));
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points[0].step, 0);
  EXPECT_EQ(points[1].step, 4);
  EXPECT_EQ(points[2].step, 6);
  EXPECT_EQ(points[2].epoch, 1);
  ASSERT_GT(result.report.out_of_reach, 0);  // words that the trainer leaves out are measured all the same
  for (const auto& [point, weights] : {std::pair(points[0], model.weights), std::pair(points[2], result.last_weights)}) {
    const at::Tensor rows = weights.at(kWords), mean = mean_row(rows);
    expect_equal(point.given, row_geometry(rows, {}, singular_directions(rows, {}), 3));
    expect_equal(point.centred, row_geometry(rows, mean, singular_directions(rows, mean), 3));
  }
  EXPECT_NE(points[1].given.cosines.mean, points[2].given.cosines.mean);
}

TEST_F(GeometryRecorderTest, ChangesNothing) {
  std::vector<GeometryPoint> points;
  const TrainResult watched = train(recorded("a", points));
  const TrainResult plain = train(job("b", {{"epochs", 1}, {"batch_size", 16}, {"checkpoint_every", 1}}));
  EXPECT_TRUE(at::equal(watched.last_weights.at(kWords), plain.last_weights.at(kWords)));
}

/// Interrupts at the end of a step, once.
class Stopping final : public Regularizer {
 public:
  explicit Stopping(int64_t at) : at_(at) {}
  void after_update(Step& step) override {
    if (step.number == at_ && stop) std::raise(SIGINT);
  }
  static inline bool stop = true;

 private:
  int64_t at_;
};

TEST_F(GeometryRecorderTest, ResumesToTheSamePoints_AfterKills) {
  for (const int64_t at : {0, 2, 4, 5}) {
    SCOPED_TRACE(at);
    const auto run = [&](const std::string& folder, std::vector<GeometryPoint>& points) {
      TrainJob stopped = recorded(folder + std::to_string(at), points);
      stopped.plugins.push_back(regularizer("stopping", [at](const MethodInputs&) { return std::make_unique<Stopping>(at); }));
      return train(std::move(stopped));
    };
    std::vector<GeometryPoint> points, again;
    Stopping::stop = false;
    run("whole", points);
    Stopping::stop = true;
    watch_interrupts();
    EXPECT_THROW(run("stopped", again), Error);
    clear_interrupt();
    EXPECT_TRUE(again.empty());
    Stopping::stop = false;
    run("stopped", again);
    ASSERT_EQ(again.size(), points.size());
    for (size_t i = 0; i < points.size(); ++i) {
      EXPECT_EQ(again[i].step, points[i].step);
      EXPECT_EQ(again[i].epoch, points[i].epoch);
      expect_equal(again[i].given, points[i].given);
      expect_equal(again[i].centred, points[i].centred);
    }
  }
}

}  // namespace
}  // namespace tsrun
