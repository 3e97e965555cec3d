#pragma once

#include "tsrun/base/error.h"
#include "tsrun/base/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

/// What the benchmark programs share: words and --names of the command line, and the numbers that they print.
namespace tsrun {

constexpr int64_t warm_up = 3;  ///< steps that are not timed

struct Arguments {
  Arguments(int count, char** words, size_t operands_wanted, const std::string& usage) {
    keep_freed_memory();  // as the program does
    for (int i = 1; i < count; ++i) {
      const std::string word = words[i];
      if (word.starts_with("--") && i + 1 < count) {
        named[word] = words[++i];
      } else {
        operands.push_back(word);
      }
    }
    if (operands.size() != operands_wanted) user_error("usage: {}", usage);
  }
  int64_t number(const std::string& name, int64_t fallback) const {
    const auto place = named.find(name);
    return place == named.end() ? fallback : std::stoll(place->second);
  }
  std::string text(const std::string& name, const std::string& fallback) const {
    const auto place = named.find(name);
    return place == named.end() ? fallback : place->second;
  }
  /// Words between commas.
  std::vector<std::string> list(const std::string& name, const std::string& fallback) const {
    std::vector<std::string> words(1);
    for (const char c : text(name, fallback)) {
      if (c == ',')
        words.emplace_back();
      else
        words.back() += c;
    }
    return words;
  }
  std::vector<std::string> operands;
  std::map<std::string, std::string> named;
};

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

inline long peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

/// Memory of this process that backs no file, in MiB: pages of a mapped file can be given back at any time.
inline double own_memory_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return std::stod(line.substr(8)) / 1024;
  return 0;
}

/// Looks at own memory every few milliseconds, as long as it lives.
class OwnMemory {
 public:
  ~OwnMemory() {
    done_ = true;
    watcher_.join();
  }
  double before_mib() const { return before_; }
  double peak_mib() const { return std::max(peak_.load(), own_memory_mib()); }

 private:
  double before_ = own_memory_mib();
  std::atomic<bool> done_ = false;
  std::atomic<double> peak_ = before_;
  std::thread watcher_{[this] {
    while (!done_) {
      peak_ = std::max(peak_.load(), own_memory_mib());
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }};
};

/// Processor time of all threads so far.
inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Seconds, losses and tokens of a training's steps, as one JSON line.
class StepTimes {
 public:
  void start() {
    cpu_begin_ = cpu_seconds();
    begin_ = Clock::now();
  }
  void stop(int64_t step, double loss, int64_t tokens) {
    const double took = std::chrono::duration<double>(Clock::now() - begin_).count();
    losses_.push_back(loss);
    if (step < warm_up) return;
    seconds_.push_back(took);
    cpu_ += cpu_seconds() - cpu_begin_;
    tokens_ += tokens;
  }
  double total() const { return std::accumulate(seconds_.begin(), seconds_.end(), 0.0); }
  double mean() const { return total() / static_cast<double>(seconds_.size()); }
  /// Median over steps of the ratio to the same steps of another training.
  double ratio_to(const StepTimes& other) const {
    std::vector<double> ratios;
    for (size_t i = 0; i < seconds_.size(); ++i) ratios.push_back(seconds_[i] / other.seconds_[i]);
    return median(ratios);
  }
  /// `more`: further members of the JSON object, each after a comma.
  void print(const std::string& more = {}) const {
    std::printf(
        "{\"s_per_step\": %.4f, \"mean_s_per_step\": %.4f, \"real_tokens_per_s\": %.0f, \"loss_first\": %.4f, \"loss_last\": %.4f, "
        "\"peak_mib\": %ld, \"cpu_s_per_step\": %.4f%s}\n",
        median(seconds_), mean(), static_cast<double>(tokens_) / total(), losses_.front(), losses_.back(), peak_mib(),
        cpu_ / static_cast<double>(seconds_.size()), more.c_str());
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds_, losses_;
  int64_t tokens_ = 0;
  double cpu_ = 0, cpu_begin_ = 0;
  Clock::time_point begin_;
};

/// Runs a benchmark; an error ends it with its exit status.
template <class Run>
int run_benchmark(const char* name, const Run& run) {
  try {
    run();
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return error.exit_code();
  }
}

}  // namespace tsrun
