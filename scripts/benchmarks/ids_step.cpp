// Times one optimiser step of a language model on rows of ids, as the trainer runs it: packing, forward, backward, clipping, update.
//
// usage: bench_ids_step MODEL IDS [--precision float32|bf16] [--checkpointing 0|1] [--steps 12] [--batch 16] [--threads 2]
// IDS has a row a line: a JSON list of ids for a causal model, {"input": […], "labels": […]} for an encoder-decoder.
// Prints one JSON line: median seconds a step, real tokens a second, first and last loss, peak MiB. The first three steps warm up.
#include "benchmark.h"
#include "train/step.h"
#include "tsrun/base/files.h"
#include "tsrun/base/parallel.h"
#include "tsrun/model/model.h"
#include "tsrun/train/train.h"

#include <fstream>

namespace tsrun {
namespace {

EncodedSplit read_rows(const std::string& path, int64_t decoder_start) {
  EncodedSplit split;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto row = nlohmann::json::parse(line);
    const auto ids = (row.is_array() ? row : row.at("input")).get<std::vector<int64_t>>();
    std::vector<int64_t> targets;
    if (row.is_array()) {
      targets.assign(ids.begin() + 1, ids.end());
      targets.push_back(no_target);
    } else {
      targets = row.at("labels").get<std::vector<int64_t>>();
      split.decoder_rows.push_back({decoder_start});
      split.decoder_rows.back().insert(split.decoder_rows.back().end(), targets.begin(), targets.end() - 1);
    }
    split.rows.push_back({ids, std::vector<int64_t>(ids.size(), 0)});
    split.targets.push_back(0);
    split.token_targets.push_back(std::move(targets));
  }
  return split;
}

void run(const Arguments& arguments) {
  set_threads(static_cast<int>(arguments.number("--threads", 2)));
  const int64_t batch = arguments.number("--batch", 16), steps = std::max(warm_up + 1, arguments.number("--steps", 12));
  const std::filesystem::path folder = arguments.operands[0];
  const auto config = read_json(folder / "config.json");
  const bool causal = make_family(config, {}, "config.json")->model_kind() == ModelKind::causal;
  const auto family = make_family(config, {causal ? HeadKind::causal_lm : HeadKind::seq2seq_lm, 0}, "config.json");
  const Weights weights = load_weights(folder, *family);
  const EncodedSplit split = read_rows(arguments.operands[1], family->decoder_start());
  TuneOptions tune;
  tune.weight_decay = 0.01;
  Binding binding(*family, weights, tune, Key::root(1), at::kCPU);
  const nlohmann::json given = {{"precision", arguments.text("--precision", "float32")},
                                {"gradient_checkpointing", arguments.number("--checkpointing", 0) != 0}};
  training::StepPlugins none;
  training::Stepper stepper(*family, split, binding, TrainSettings::from(train_options().resolve(given, "bench_ids_step")), at::kCPU, none);
  Sampler sampler(Key::root(2), split.size(), batch);
  StepTimes times;
  for (int64_t step = 0; step < steps; ++step) {
    const auto rows = sampler.batch(step / sampler.batches_per_epoch(), step % sampler.batches_per_epoch());
    times.start();
    const training::StepReport report =
        stepper.run({.step = step}, {{rows.begin(), rows.end()}}, Key::root(3).split(static_cast<uint64_t>(step)), 1);
    times.stop(step, report.loss, report.tokens);
  }
  times.print();
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  return tsrun::run_benchmark(
      "bench_ids_step", [&] { tsrun::run(tsrun::Arguments(count, words, 2, "bench_ids_step MODEL IDS [--precision float32|bf16] …")); });
}
