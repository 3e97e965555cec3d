// Times greedy generation with a key/value cache.
//
// usage: bench_generation MODEL PROMPTS [--new 64] [--batch 1] [--rounds 3] [--threads 2]
// PROMPTS has a JSON list of ids a line. A round is all prompts once, every one with --new tokens; the first round warms up.
// Prints one JSON line: median tokens a second, peak MiB.
#include "benchmark.h"
#include "tsrun/base/files.h"
#include "tsrun/base/parallel.h"
#include "tsrun/model/generate.h"
#include "tsrun/model/model.h"

#include <chrono>
#include <fstream>

namespace tsrun {
namespace {

void run(const Arguments& arguments) {
  using Clock = std::chrono::steady_clock;
  set_threads(static_cast<int>(arguments.number("--threads", 2)));
  const std::filesystem::path folder = arguments.operands[0];
  const auto config = read_json(folder / "config.json");
  const bool causal = make_family(config, {}, "config.json")->model_kind() == ModelKind::causal;
  const auto family = make_family(config, {causal ? HeadKind::causal_lm : HeadKind::seq2seq_lm, 0}, "config.json");
  const Weights weights = load_weights(folder, *family);
  std::vector<std::vector<int64_t>> prompts;
  std::ifstream file(arguments.operands[1]);
  for (std::string line; std::getline(file, line);) prompts.push_back(nlohmann::json::parse(line).get<std::vector<int64_t>>());
  const auto batch = static_cast<size_t>(arguments.number("--batch", 1));
  GenerateOptions options;
  options.max_new_tokens = arguments.number("--new", 64);
  std::vector<double> rates;
  for (int64_t round = 0; round <= arguments.number("--rounds", 3); ++round) {
    const auto start = Clock::now();
    size_t tokens = 0;
    for (size_t first = 0; first < prompts.size(); first += batch) {
      const auto last = std::min(first + batch, prompts.size());
      for (const Generated& text :
           generate(*family, weights, {prompts.begin() + static_cast<int64_t>(first), prompts.begin() + static_cast<int64_t>(last)},
                    options, at::kCPU))
        tokens += text.ids.size();
    }
    if (round > 0) rates.push_back(static_cast<double>(tokens) / std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::printf("{\"tokens_per_s\": %.1f, \"peak_mib\": %ld}\n", median(rates), peak_mib());
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  return tsrun::run_benchmark(
      "bench_generation", [&] { tsrun::run(tsrun::Arguments(count, words, 2, "bench_generation MODEL PROMPTS [--new N] [--batch N] …")); });
}
