// Times stage 1 of a joint decomposition over a real model: adapter, LoRA and prefix of equal size, mixed codes, all losses, one update.
//
// usage: bench_joint_step MODEL TASK[,TASK…] [--dim 4] [--steps 12] [--batch 16] [--threads 2] [--max-length 512]
// Prints one JSON line: median seconds a step, the part of it that is nothing but the three tasks' forward and backward passes, peak MiB,
// numbers of each method. The first three steps warm up.
#include "benchmark.h"
#include "tsrun/base/parallel.h"
#include "tsrun/data/task.h"
#include "tsrun/model/model.h"
#include "tsrun/plugin/host.h"
#include "tsrun/train/joint_tasks.h"
#include "tsrun/train/reading.h"

#include <ATen/ops/empty.h>

#include <chrono>
#include <sstream>

namespace tsrun {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Passes everything on, and notes when a step begins and how long its losses take. Scores are not what is timed.
class TimedTasks final : public JointTasks {
 public:
  explicit TimedTasks(JointTasks& inner) : inner_(inner) {}
  const std::vector<std::string>& names() const override { return inner_.names(); }
  int64_t steps_per_epoch() const override { return inner_.steps_per_epoch(); }
  at::Tensor weights(size_t member) override { return inner_.weights(member); }
  at::Tensor gradient(size_t member) override { return inner_.gradient(member); }
  double score(size_t, int64_t) override { return 0; }
  std::vector<Rows> batch(int64_t step) const override {
    begun_.push_back(Clock::now());
    passes_.push_back(0);
    return inner_.batch(step);
  }
  double loss(size_t member, const Rows& rows, Key dropout, double share) override {
    const auto start = Clock::now();
    const double value = inner_.loss(member, rows, dropout, share);
    passes_.back() += seconds_since(start);
    return value;
  }
  void print(const std::vector<JointMember>& members) const {
    std::vector<double> whole, passes;
    for (size_t i = static_cast<size_t>(warm_up); i + 1 < begun_.size(); ++i) {
      whole.push_back(std::chrono::duration<double>(begun_[i + 1] - begun_[i]).count());
      passes.push_back(passes_[i]);
    }
    std::string numbers;
    for (const JointMember& m : members) numbers += fmt::format("{}\"{}\": {}", numbers.empty() ? "" : ", ", m.name, m.origin.numel());
    std::printf("{\"s_per_step\": %.4f, \"passes_s\": %.4f, \"peak_mib\": %ld, \"numbers\": {%s}}\n", median(whole), median(passes),
                peak_mib(), numbers.c_str());
  }

 private:
  JointTasks& inner_;
  mutable std::vector<Clock::time_point> begun_;
  mutable std::vector<double> passes_;
};

struct Choice {
  std::string name;
  nlohmann::json options;
};

/// As in the paper, of equal size where query and value are as wide as the model and both stacks as deep: 12, 10, and a prefix to match.
std::vector<Choice> choices(const Family& family) {
  const int64_t depth = family.layers() / 2, hidden = 2 * depth, tokens = std::max<int64_t>(1, 60 * depth - hidden * (1 + 2 * depth));
  return {{"adapter", {{"bottleneck", 12}, {"activation", "silu"}, {"biases", false}, {"init", "normal"}}},
          {"lora", {{"r", 10}, {"lora_alpha", 16}, {"init_lora_weights", "release"}, {"target_modules", {"q", "v"}}}},
          {"prefix",
           {{"num_virtual_tokens", tokens},
            {"prefix_projection", true},
            {"encoder_hidden_size", hidden},
            {"projection_bias", false},
            {"layout", "release"},
            {"init_std", 0.02}}}};
}

std::vector<Task> tasks_of(const std::string& list, ModelKind model_kind) {
  std::vector<Task> tasks;
  std::istringstream names(list);
  for (std::string name; std::getline(names, name, ',');) tasks.push_back(task_for(load_task(name), model_kind));
  return tasks;
}

JointMember member_of(const Choice& choice, const Model& adapted, size_t tasks) {
  JointMember member;
  member.name = choice.name;
  member.parameters = select_parameters(*adapted.family, {.parts = {"delta"}, .layers = {}, .patterns = {}, .groups = "whole"});
  member.origin = flatten(adapted.weights, member.parameters.layout);
  for (size_t t = 0; t < tasks; ++t) {  // the time does not depend on what the solutions are
    at::Tensor delta = at::empty({member.origin.numel()}, at::kFloat);
    fill_normal(Key::root(7).split(choice.name).split(t), {delta.mutable_data_ptr<float>(), static_cast<size_t>(delta.numel())}, 0, 0,
                0.02F);
    member.deltas.push_back({delta});
  }
  return member;
}

void run(const Arguments& arguments) {
  set_threads(static_cast<int>(arguments.number("--threads", 2)));
  const int64_t steps = std::max(warm_up + 2, arguments.number("--steps", 12));
  PluginHost host;
  host.load(PluginHost::search_path({}));
  Model plain = load_model(arguments.operands[0], {HeadKind::seq2seq_lm, 0}, Key::root(0));
  JointTasksJob job;
  job.tasks = tasks_of(arguments.operands[1], plain.family->model_kind());
  JointInputs inputs;
  for (const Choice& choice : choices(*plain.family)) {
    const DeltaMethod& method = host.delta(choice.name);
    const std::vector<std::shared_ptr<const Delta>> deltas = {
        method.attach(*plain.family, method.options().resolve(choice.options, "bench_joint_step"))};
    Model adapted = plain;
    adapted.family = adapt(plain.family, deltas);
    add_initial_values(deltas, adapted.weights, Key::root(4));
    inputs.members.push_back(member_of(choice, adapted, job.tasks.size()));
    job.members.push_back({inputs.members.back().parameters, std::vector<Model>(job.tasks.size(), adapted)});
  }
  job.options = joint_task_options().resolve(
      {{"batch_size", arguments.number("--batch", 16)}, {"eval_rows", 1}, {"max_length", arguments.number("--max-length", 512)}},
      "bench_joint_step");
  const std::unique_ptr<JointTasks> tasks = make_joint_tasks(std::move(job));
  TimedTasks timed(*tasks);
  inputs.tasks = &timed;
  const JointMethod& method = host.joint("joint_decomposition");
  const nlohmann::json options = {{"dim", arguments.number("--dim", 4)}, {"steps", steps}, {"eval_every", steps}};
  method.decompose(inputs, method.options().resolve(options, "bench_joint_step"));
  timed.print(inputs.members);
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  return tsrun::run_benchmark("bench_joint_step", [&] {
    tsrun::run(tsrun::Arguments(count, words, 2, "bench_joint_step MODEL TASK[,TASK…] [--dim N] [--steps N] …"));
  });
}
