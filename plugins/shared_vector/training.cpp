#include "training.h"

#include "tsrun/base/interrupt.h"
#include "tsrun/train/diverged.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace tsrun::shared_vector {
namespace {

void check_inputs(const JointInputs& inputs) {
  if (!inputs.tasks) user_error("shared_vector: needs tasks: its vector and maps are trained on their losses");
  if (inputs.tasks->names().empty()) user_error("shared_vector: needs at least one task");
}

nlohmann::json identity_of(const JointInputs& inputs, const Options& options) {
  nlohmann::json members = nlohmann::json::array();
  for (const JointMember& member : inputs.members)
    members.push_back({{"name", member.name}, {"layout", member.parameters.layout.digest()}});
  return {{"options", options.json()}, {"key", inputs.key.words()}, {"tasks", inputs.tasks->names()}, {"members", members}};
}

at::Tensor draw_vector(Key key, int64_t dim, double deviation) {
  at::Tensor vector = at::empty({dim}, at::kFloat);
  fill_normal(key, floats(vector), 0, 0, static_cast<float>(deviation));
  return vector;
}

int64_t count_rows(const std::vector<JointTasks::Rows>& batch) {
  int64_t count = 0;
  for (const auto& group : batch) count += static_cast<int64_t>(group.rows.size());
  return count;
}

}  // namespace

Training::Training(const JointInputs& inputs, const Options& options) : inputs_(inputs), schedule_(schedule_of(options)) {
  check_inputs(inputs);
  decoders_ = draw_decoders(inputs, options);
  identity_ = identity_of(inputs, options);
  vector_ = draw_vector(inputs.key.split("vector"), options.integer("dim"), schedule_.deviation);
  vector_squares_ = at::zeros_like(vector_);
  losses_.assign(inputs.members.size(), 0);
}

JointResult Training::run() {
  const at::NoGradGuard no_grad;
  LoopSettings loop;
  loop.title = inputs_.title;
  loop.steps = schedule_.steps;
  loop.work = inputs_.work;
  loop.identity = identity_;
  loop.pause = std::chrono::minutes(1);
  loop.keep = 1;
  loop.steps_are_atomic = true;
  run_loop(loop, *this);
  return result();
}

void Training::evaluate_if_due(int64_t steps_done, Progress& progress) {
  const bool due = steps_done % schedule_.eval_every == 0 || steps_done == schedule_.steps;
  if (!due || scored_at_ == steps_done) return;
  evaluate();
  progress.milestone(fmt::format("step {}/{}  dev {:.4f}", steps_done, schedule_.steps, history_.back().at("score").get<double>()));
}

/// All gradients are there before anything moves, so an interrupt in a pass leaves the state of the step before.
void Training::step(int64_t /*step*/, Progress& /*progress*/) {
  std::vector<double> losses;
  for (size_t m = 0; m < decoders_.size(); ++m) losses.push_back(pass(m));
  std::transform(losses.begin(), losses.end(), losses_.begin(), losses_.begin(), std::plus<>());
  ++steps_done_;
  move();
}

double Training::pass(size_t member) {
  write_weights(member);
  inputs_.tasks->gradient(member).zero_();
  const auto batch = inputs_.tasks->batch(steps_done_);
  const auto rows = static_cast<double>(count_rows(batch));
  const Key key = inputs_.key.split("dropout").split(static_cast<uint64_t>(steps_done_)).split(inputs_.members[member].name);
  double sum = 0;
  for (size_t g = 0; g < batch.size(); ++g) {
    const double share = static_cast<double>(batch[g].rows.size()) / rows;
    const double loss = inputs_.tasks->loss(member, batch[g], key.split(g), share);
    if (!std::isfinite(loss))
      throw Diverged(
          fmt::format("shared_vector: the loss of '{}' on '{}' is {} at step {} of {}; lower lr ({})", inputs_.members[member].name,
                      inputs_.tasks->names().at(static_cast<size_t>(batch[g].task)), loss, steps_done_ + 1, schedule_.steps, schedule_.lr),
          fmt::format("loss not finite in step {}", steps_done_ + 1), steps_done_);
    sum += share * loss;
  }
  return sum;
}

void Training::write_weights(size_t member) const {
  at::Tensor weights = inputs_.tasks->weights(member);
  const at::Tensor& origin = inputs_.members[member].origin;
  if (weights.is_cpu() && weights.is_contiguous()) {
    weights.copy_(origin);
    decoders_[member]->expand(vector_, weights);
  } else {
    at::Tensor host = origin.to(at::kCPU, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    decoders_[member]->expand(vector_, host);
    weights.copy_(host);
  }
}

void Training::move() {
  std::vector<double> gradient(static_cast<size_t>(vector_.numel()), 0.0);
  const AdafactorRule rule(steps_done_, schedule_.lr);
  for (size_t m = 0; m < decoders_.size(); ++m)
    decoders_[m]->learn(rule, vector_, inputs_.tasks->gradient(m).to(at::kCPU).contiguous(), gradient);
  std::vector<float> narrow(gradient.begin(), gradient.end());
  adafactor_vector(rule, floats(vector_), narrow, floats(vector_squares_));
}

void Training::evaluate() {
  nlohmann::json scores = nlohmann::json::object(), losses = nlohmann::json::object();
  double sum = 0;
  for (size_t m = 0; m < decoders_.size(); ++m) {
    const std::string& name = inputs_.members[m].name;
    sum += member_score(m, scores[name]);
    losses[name] = losses_[m] / static_cast<double>(steps_done_ - scored_at_);
  }
  const double score = sum / static_cast<double>(decoders_.size());
  history_.push_back({{"step", steps_done_}, {"loss", losses}, {"scores", scores}, {"score", score}});
  std::fill(losses_.begin(), losses_.end(), 0.0);
  scored_at_ = steps_done_;
  if (!best_.take(steps_done_, score)) return;
  for (const auto& [name, values] : numbers()) best_numbers_[name] = values.clone();
}

double Training::member_score(size_t member, nlohmann::json& scores) const {
  write_weights(member);
  const auto& tasks = inputs_.tasks->names();
  double sum = 0;
  for (size_t t = 0; t < tasks.size(); ++t) {
    check_interrupt();
    const double score = inputs_.tasks->score(member, static_cast<int64_t>(t));
    scores[tasks[t]] = score;
    sum += score;
  }
  return sum / static_cast<double>(tasks.size());
}

std::map<std::string, at::Tensor> Training::numbers() const {
  std::map<std::string, at::Tensor> all = {{"vector", vector_}};
  for (size_t m = 0; m < decoders_.size(); ++m)
    for (const auto& [name, values] : decoders_[m]->numbers()) all[fmt::format("{:03}/{}", m, name)] = values;
  return all;
}

std::map<std::string, at::Tensor> Training::state() const {
  auto all = numbers();
  for (const auto& [name, values] : best_numbers_) all["best/" + name] = values;
  all["squares/vector"] = vector_squares_;
  for (size_t m = 0; m < decoders_.size(); ++m)
    for (const auto& [name, values] : decoders_[m]->squares()) all[fmt::format("squares/{:03}/{}", m, name)] = values;
  return all;
}

void Training::save(Checkpoint& checkpoint) const {
  // JSON has no NaN; nothing is kept before the first scores.
  const nlohmann::json score = std::isnan(best_.score) ? nlohmann::json() : nlohmann::json(best_.score);
  checkpoint.state = {
      {"scored_at", scored_at_}, {"losses", losses_}, {"history", history_}, {"best_step", best_.step}, {"best_score", score}};
  checkpoint.tensors = state();
}

void Training::restore(const Checkpoint& checkpoint) {
  const nlohmann::json& saved = checkpoint.state;
  steps_done_ = checkpoint.step;
  scored_at_ = saved.at("scored_at").get<int64_t>();
  losses_ = saved.at("losses").get<std::vector<double>>();
  history_ = saved.at("history");
  best_.step = saved.at("best_step").get<int64_t>();
  if (!saved.at("best_score").is_null()) best_.score = saved["best_score"].get<double>();
  if (best_.step > 0)
    for (const auto& [name, values] : numbers()) best_numbers_[name] = at::empty_like(values);
  for (const auto& [name, values] : state()) values.copy_(checkpoint.tensors.at(name));
}

JointResult Training::result() {
  for (const auto& [name, values] : numbers()) values.copy_(best_numbers_.at(name));
  best_numbers_.clear();
  const auto members = static_cast<int64_t>(decoders_.size()), tasks = static_cast<int64_t>(inputs_.tasks->names().size());
  JointResult result;
  result.codes = vector_.expand({tasks, members, -1}).contiguous();
  nlohmann::json maps = nlohmann::json::object();
  for (size_t m = 0; m < decoders_.size(); ++m) {
    decoders_[m]->settle();
    maps[inputs_.members[m].name] = decoders_[m]->describe();
    result.decoders.push_back(std::move(decoders_[m]));
  }
  result.description = {{"dim", vector_.numel()}, {"steps", schedule_.steps}, {"best_step", best_.step}, {"best_score", best_.score},
                        {"maps", maps},           {"history", history_}};
  return result;
}

}  // namespace tsrun::shared_vector
