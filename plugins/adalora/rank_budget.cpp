#include "rank_budget.h"

#include "importance.h"
#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"

#include <cmath>
#include <vector>

namespace tsrun::adalora {
namespace {

const std::string kept_prefix = "kept.";

/// The tensors of one update: P = B, Λ = E, Q = A.
struct Triplets {
  ParameterInfo a, e, b;
};

std::vector<Triplets> triplets_in(const Family& family) {
  std::map<std::string, const ParameterInfo*> of_delta;
  for (const ParameterInfo& info : family.parameters())
    if (info.part == Part::delta) of_delta[info.name] = &info;
  std::vector<Triplets> all;
  for (const auto& [name, info] : of_delta) {
    if (!name.ends_with(".lora_E")) continue;
    const std::string module = name.substr(0, name.rfind('.'));
    all.push_back({*of_delta.at(module + ".lora_A"), *info, *of_delta.at(module + ".lora_B")});
  }
  if (all.empty()) user_error("rank_budget: the model has no triplets; expected the delta adalora attached");
  return all;
}

struct Schedule {
  int64_t target = 0, warmup = 0, final_steps = 0, every = 1, total = 0;
  int64_t end() const { return total - final_steps; }

  /// Triplets that may stay after step `now` (from 1), of `first` at the beginning: falls with the cube of the way left.
  int64_t budget(int64_t now, int64_t first, int64_t last) const {
    if (now <= warmup) return first;
    if (now >= end()) return last;
    const double left = 1 - static_cast<double>(now - warmup) / static_cast<double>(end() - warmup);
    return static_cast<int64_t>(static_cast<double>(first - last) * std::pow(left, 3) + static_cast<double>(last));
  }
  bool masks(int64_t now) const { return now == end() || (now > warmup && now < end() && now % every == 0); }
};

class RankBudget final : public Regularizer {
 public:
  RankBudget(std::vector<Triplets> all, Schedule schedule, Importance importance, double penalty)
      : all_(std::move(all)), schedule_(schedule), importance_(std::move(importance)), penalty_(penalty) {}

  /// The mean of ‖PᵀP − I‖ and ‖QQᵀ − I‖ over all of them.
  at::Tensor step_loss(Step& step) override {
    refuse_composed(step);
    if (penalty_ == 0) return {};
    at::Tensor sum;
    for (const Triplets& one : all_) {
      const at::Tensor q = step.weights.at(one.a.name), p = step.weights.at(one.b.name);
      const at::Tensor identity = at::eye(q.size(0), q.options());
      const at::Tensor apart = (at::matmul(q, q.t()) - identity).norm() + (at::matmul(p.t(), p) - identity).norm();
      sum = sum.defined() ? sum + apart : apart;
    }
    return sum * (penalty_ / static_cast<double>(2 * all_.size()));
  }

  void after_update(Step& step) override {
    const at::NoGradGuard no_grad;
    const int64_t now = step.number + 1;
    if (now > schedule_.end()) return mask(step);
    see(step, now);
    if (!schedule_.masks(now)) return;
    choose(step, now);
    mask(step);
    if (now == schedule_.end()) importance_.clear();
  }

  nlohmann::json report() const override {
    nlohmann::json ranks = nlohmann::json::object();
    int64_t sum = 0;
    for (const Triplets& one : all_) {
      const auto kept = kept_.find(one.e.name);
      const int64_t rank = kept == kept_.end() ? one.e.shape[0] : kept->second.sum().item<int64_t>();
      ranks[one.e.name] = rank;
      sum += rank;
    }
    return {{"kept", sum}, {"ranks", ranks}};
  }

  PluginState state() const override {
    PluginState state;
    importance_.add_to(state);
    for (const auto& [name, kept] : kept_) state[kept_prefix + name] = kept;
    return state;
  }
  void restore(const PluginState& state) override {
    importance_.restore(state);
    kept_.clear();
    for (const auto& [name, tensor] : state)
      if (name.starts_with(kept_prefix)) kept_[name.substr(kept_prefix.size())] = tensor;
  }

 private:
  /// There a number has no gradient of its own, and a λ set to zero comes back with the next composition.
  void refuse_composed(const Step& step) const {
    for (const Block& block : step.blocks)
      for (const Triplets& one : all_)
        if (block.composed && block.layout->find(one.e.name) != nullptr)
          user_error(
              "rank_budget: '{}' moves within a subspace, where triplets cannot be dropped; train the delta's own numbers, or leave "
              "rank_budget out",
              one.e.name);
  }

  static bool is_trained(const Step& step, const Triplets& one) { return trained_parameter(step, one.e, "rank_budget").value.defined(); }

  /// The last step of the fall does not count, except for what was not trained before it.
  void see(const Step& step, int64_t now) {
    for (const Triplets& one : all_)
      for (const ParameterInfo* info : {&one.a, &one.e, &one.b}) {
        const auto parameter = trained_parameter(step, *info, "rank_budget");
        if (!parameter.value.defined() || (now == schedule_.end() && importance_.knows(info->name))) continue;
        importance_.see(info->name, parameter);
      }
  }

  /// Of a triplet: its value's importance and the mean of its vectors' entries', but for vectors that were never trained.
  at::Tensor score(const Triplets& one) const {
    at::Tensor score = importance_.score(one.e.name).flatten();
    if (importance_.knows(one.a.name)) score = score + importance_.score(one.a.name).mean(1);
    if (importance_.knows(one.b.name)) score = score + importance_.score(one.b.name).mean(0);
    return score;
  }

  /// Triplets of the trained updates that the budget leaves: all above the score of the last that must go.
  void choose(const Step& step, int64_t now) {
    std::vector<at::Tensor> scores;
    std::vector<const Triplets*> trained;
    for (const Triplets& one : all_) {
      if (!is_trained(step, one)) continue;
      trained.push_back(&one);
      scores.push_back(score(one));
    }
    if (trained.empty()) return;
    const at::Tensor together = at::cat(scores);
    const int64_t first = together.numel(), last = schedule_.target * static_cast<int64_t>(trained.size());
    const int64_t gone = first - schedule_.budget(now, first, last);
    if (gone <= 0) return;
    const at::Tensor threshold = std::get<0>(at::kthvalue(together, gone));
    for (size_t i = 0; i < trained.size(); ++i) kept_[trained[i]->e.name] = scores[i] > threshold;
  }

  void mask(const Step& step) {
    for (const Triplets& one : all_) {
      const auto kept = kept_.find(one.e.name);
      const auto parameter = trained_parameter(step, one.e, "rank_budget");
      if (kept != kept_.end() && parameter.value.defined())
        parameter.value.masked_fill_(kept->second.to(parameter.value.device()).logical_not().unsqueeze(1), 0);
    }
  }

  std::vector<Triplets> all_;
  Schedule schedule_;
  Importance importance_;
  double penalty_;
  std::map<std::string, at::Tensor> kept_;  ///< bool [rank], by the name of Λ: as last chosen
};

Schedule schedule_of(const Options& options, int64_t planned) {
  const Schedule schedule{options.integer("target_r"), options.integer("tinit"), options.integer("tfinal"), options.integer("deltaT"),
                          options.integer("total_step") > 0 ? options.integer("total_step") : planned};
  if (schedule.warmup >= schedule.end())
    user_error("rank_budget: tinit {} and tfinal {} leave none of {} steps to lower the rank in; expected less in sum", schedule.warmup,
               schedule.final_steps, schedule.total);
  return schedule;
}

}  // namespace

OptionTable RankBudgetMethod::options() const {
  return {
      {.name = "target_r", .type = OptionType::integer, .fallback = 8, .doc = "Mean rank of the updates in the end.", .minimum = 1},
      {.name = "tinit", .type = OptionType::integer, .fallback = 0, .doc = "Steps before ranks fall.", .minimum = 0, .unit = "steps"},
      {.name = "tfinal", .type = OptionType::integer, .fallback = 0, .doc = "Steps with the last ranks.", .minimum = 0, .unit = "steps"},
      {.name = "deltaT", .type = OptionType::integer, .fallback = 1, .doc = "Steps between two choices.", .minimum = 1, .unit = "steps"},
      {.name = "beta1",
       .type = OptionType::number,
       .fallback = 0.85,
       .doc = "Share kept of means of sensitivity.",
       .minimum = 0,
       .maximum = 1},
      {.name = "beta2",
       .type = OptionType::number,
       .fallback = 0.85,
       .doc = "Share kept of means of its changes.",
       .minimum = 0,
       .maximum = 1},
      {.name = "orth_reg_weight", .type = OptionType::number, .fallback = 0.5, .doc = "Weight of the orthogonality penalty.", .minimum = 0},
      {.name = "total_step", .type = OptionType::integer, .fallback = 0, .doc = "Steps of the schedule; 0: the training's.", .minimum = 0},
  };
}

std::unique_ptr<Regularizer> RankBudgetMethod::make(const MethodInputs& inputs, const Options& options) const {
  return std::make_unique<RankBudget>(triplets_in(inputs.family), schedule_of(options, inputs.steps),
                                      Importance(options.number("beta1"), options.number("beta2")), options.number("orth_reg_weight"));
}

}  // namespace tsrun::adalora
