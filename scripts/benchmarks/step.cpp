// Times one optimiser step as the trainer runs it: token ids of the batch, forward, backward, clipping, update.
//
// usage: bench_step MODEL TASK [--method full|subspace] [--steps 12] [--batch 32] [--threads 2] [--max-length 128]
// Prints one JSON line: median seconds a step, real tokens a second, first and last loss, peak MiB. The first three steps warm up.
#include "train/step.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/data/task.h"
#include "tsrun/linalg/rows.h"
#include "tsrun/model/model.h"
#include "tsrun/train/train.h"

#include <ATen/ops/empty.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

namespace tsrun {
namespace {

constexpr int64_t warm_up = 3;

/// A dense float32 basis with `dim` directions a group: as much memory to read a step as any dense subspace has.
class DenseSubspace : public Subspace {
 public:
  DenseSubspace(ParameterSet parameters, int64_t dim)
      : parameters_(std::move(parameters)), dims_(parameters_.groups.size(), dim), values_(parameters_.groups.size()) {
    const Key key = Key::root(0);
    for (size_t i = 0; i < values_.size(); ++i) {
      values_[i] = at::empty({dim, parameters_.groups[i].size()}, at::kFloat);
      const auto count = static_cast<size_t>(values_[i].numel());
      fill_uniform(key.split(i), {values_[i].mutable_data_ptr<float>(), count}, 0, -1e-3f, 1e-3f);
    }
  }
  const ParameterSet& parameters() const override { return parameters_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  bool claims_orthonormal() const override { return false; }
  nlohmann::json describe() const override { return {}; }
  void save(const std::filesystem::path&) const override {}
  int64_t bytes_shipped() const override { return 0; }

  void expand(const at::Tensor& z, at::Tensor out) const override {
    for (size_t i = 0; i < values_.size(); ++i) {
      const Group& group = parameters_.groups[i];
      std::vector<double> coordinates;
      for (int64_t j = 0; j < dims_[i]; ++j) coordinates.push_back(z.const_data_ptr<float>()[static_cast<int64_t>(i) * dims_[i] + j]);
      tsrun::expand(rows(i), coordinates, {out.mutable_data_ptr<float>() + group.begin, static_cast<size_t>(group.size())});
    }
  }
  at::Tensor project(const at::Tensor&, const at::Tensor& g) const override {
    at::Tensor result = at::empty({dim()}, at::kFloat);
    float* to = result.mutable_data_ptr<float>();
    for (size_t i = 0; i < values_.size(); ++i) {
      const Group& group = parameters_.groups[i];
      for (const double value : tsrun::project(rows(i), {g.const_data_ptr<float>() + group.begin, static_cast<size_t>(group.size())})) {
        *to++ = static_cast<float>(value);
      }
    }
    return result;
  }

 private:
  Rows rows(size_t group) const {
    Rows rows;
    rows.columns = values_[group].size(1);
    for (int64_t j = 0; j < dims_[group]; ++j) rows.data.push_back(values_[group].const_data_ptr<float>() + j * rows.columns);
    return rows;
  }
  ParameterSet parameters_;
  std::vector<int64_t> dims_;
  std::vector<at::Tensor> values_;
};

struct Arguments {
  Arguments(int count, char** words) {
    if (count < 3)
      user_error("usage: bench_step MODEL TASK [--method full|subspace] [--steps N] [--batch N] [--threads N] [--max-length N]");
    model = words[1];
    task = words[2];
    for (int i = 3; i + 1 < count; i += 2) named[words[i]] = words[i + 1];
  }
  int64_t number(const std::string& name, int64_t fallback) const {
    const auto place = named.find(name);
    return place == named.end() ? fallback : std::stoll(place->second);
  }
  std::string model, task;
  std::map<std::string, std::string> named;
};

TuneOptions tune_options(const Arguments& arguments, const Family& family) {
  TuneOptions tune;
  tune.weight_decay = 0.01;
  const auto method = arguments.named.find("--method");
  if (method == arguments.named.end() || method->second == "full") return tune;
  tune.train_embeddings = false;
  tune.subspace = std::make_shared<DenseSubspace>(select_parameters(family, {}), 32);
  return tune;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int run(const Arguments& arguments) {
  using Clock = std::chrono::steady_clock;
  set_threads(static_cast<int>(arguments.number("--threads", 2)));
  const int64_t batch = arguments.number("--batch", 32), steps = std::max(warm_up + 1, arguments.number("--steps", 12));
  const int64_t longest = arguments.number("--max-length", 128);
  const Task task = load_task(arguments.task);
  const HeadSpec head{task.kind == TaskKind::regression ? HeadKind::regression : HeadKind::classification, task.outputs()};
  const Model model = load_model(arguments.model, head, Key::root(0));
  const std::vector<Example>& examples = task.split("train").examples;
  Binding binding(*model.family, model.weights, tune_options(arguments, *model.family), Key::root(1), at::kCPU);
  EncodedSplit split{std::vector<Encoding>(examples.size()), std::vector<double>(examples.size())};
  Stepper stepper(*model.family, split, binding, train_options().resolve(nlohmann::json::object(), "bench_step"), at::kCPU);
  Sampler sampler(Key::root(2), static_cast<int64_t>(examples.size()), batch);
  std::vector<double> seconds, losses;
  int64_t tokens = 0;
  for (int64_t step = 0; step < steps; ++step) {
    const auto rows = sampler.batch(step / sampler.batches_per_epoch(), step % sampler.batches_per_epoch());
    const auto start = Clock::now();
    for (const int64_t row : rows) {  // tokenised again every time: a user's loader does it beside each step
      const Example& example = examples[static_cast<size_t>(row)];
      const auto second = example.second ? std::optional<std::string_view>(*example.second) : std::nullopt;
      split.rows[static_cast<size_t>(row)] = model.tokenizer->encode(example.first, second, longest);
      split.targets[static_cast<size_t>(row)] = example.target;
    }
    const StepReport report = stepper.run(step, {{rows.begin(), rows.end()}}, Key::root(3).split(static_cast<uint64_t>(step)), 1);
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    losses.push_back(report.loss);
    if (step < warm_up) continue;
    seconds.push_back(took);
    tokens += report.tokens;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  double total = 0;
  for (const double value : seconds) total += value;
  std::printf("{\"s_per_step\": %.4f, \"real_tokens_per_s\": %.0f, \"loss_first\": %.4f, \"loss_last\": %.4f, \"peak_mib\": %ld}\n",
              median(seconds), static_cast<double>(tokens) / total, losses.front(), losses.back(), usage.ru_maxrss / 1024);
  return 0;
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  try {
    return tsrun::run(tsrun::Arguments(count, words));
  } catch (const tsrun::Error& error) {
    std::fprintf(stderr, "bench_step: %s\n", error.what());
    return error.exit_code();
  }
}
