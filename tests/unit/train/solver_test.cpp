// Trainings within a subspace under the optimisers for few unknowns.
#include "support/errors.h"
#include "train/batch_loss.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/train/train.h"
#include "unit/train/kinds.h"
#include "unit/train/plugged_training.h"

#include <csignal>

namespace tsrun::training {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// Random directions of about unit length in every group.
class FewDirections final : public Subspace {
 public:
  FewDirections(ParameterSet set, int64_t dim) : set_(std::move(set)), dims_(set_.groups.size(), dim) {
    for (size_t g = 0; g < set_.groups.size(); ++g) {
      at::Tensor columns = at::empty({set_.groups[g].size(), dim});
      fill_normal(Key::root(11).split(g), {columns.mutable_data_ptr<float>(), static_cast<size_t>(columns.numel())});
      maps_.push_back(columns / std::sqrt(static_cast<double>(set_.groups[g].size())));
    }
  }
  const ParameterSet& parameters() const override { return set_; }
  const std::vector<int64_t>& dims() const override { return dims_; }
  void expand(const at::Tensor& z, at::Tensor out) const override {
    for (size_t g = 0; g < maps_.size(); ++g) group(out, g).add_(maps_[g].mv(own(z, g)));
  }
  at::Tensor project(const at::Tensor& /*z*/, const at::Tensor& g) const override {
    std::vector<at::Tensor> parts;
    for (size_t i = 0; i < maps_.size(); ++i) parts.push_back(maps_[i].t().mv(group(g, i)));
    return at::cat(parts);
  }
  bool claims_orthonormal() const override { return false; }
  json describe() const override { return {{"dims", dims_}}; }
  void save(const std::filesystem::path& /*folder*/) const override {}
  int64_t bytes_shipped() const override { return 0; }

 private:
  at::Tensor group(const at::Tensor& flat, size_t g) const { return flat.narrow(0, set_.groups[g].begin, set_.groups[g].size()); }
  at::Tensor own(const at::Tensor& z, size_t g) const { return z.narrow(0, static_cast<int64_t>(g) * dims_[g], dims_[g]); }

  ParameterSet set_;
  std::vector<int64_t> dims_;
  std::vector<at::Tensor> maps_;
};

/// Interrupts at the end of a step, while it is told to.
class StoppingObserver final : public Observer {
 public:
  explicit StoppingObserver(int64_t at) : at_(at) {}
  void step_ended(const Binding& /*binding*/, const StepDone& done) override {
    if (done.step == at_ && stop) std::raise(SIGINT);
  }
  static inline bool stop = false;

 private:
  int64_t at_;
};

class Solvers : public ::testing::Test {
 protected:
  /// A training of z alone unless `parts` says more.
  TrainJob job(const json& options, std::set<Part> parts = {}, int64_t dim = 3) {
    json all = {{"batch_size", 16}, {"max_steps", 6}};
    all.update(options);
    TrainJob job = toy::job(model, task, all, scratch.path() / std::to_string(runs++));
    parts.insert(Part::encoder);
    job.tune.subspace = std::make_shared<FewDirections>(select_parameters(*model.family, {}), dim);
    job.tune.scope = scope_of_parts(*model.family, parts);
    return job;
  }
  static json options_of(const std::string& optim) {
    json options = {{"optim", optim}};
    if (optim == "cma_es") options["sigma"] = 0.5;
    if (optim == "spsa") options.update({{"spsa_a", 20.0}, {"spsa_c", 0.3}});
    return options;
  }

  int runs = 0;
  toy::Scratch scratch;
  Task task = toy::sentiment();
  Model model = toy::tiny_bert();
};

const std::vector<std::string> kGradient = {"lbfgs", "levenberg_marquardt", "p_bfgs"}, kForwardOnly = {"cma_es", "spsa"};
std::vector<std::string> all_solvers() {
  std::vector<std::string> all = kGradient;
  all.insert(all.end(), kForwardOnly.begin(), kForwardOnly.end());
  return all;
}

TEST_F(Solvers, LowerTheLoss) {
  task = toy::sentiment(32, 8);
  for (const std::string& optim : all_solvers()) {
    json options = options_of(optim);
    const int64_t steps = optim == "spsa" ? 80 : optim == "cma_es" ? 25 : 8;
    options.update({{"batch_size", 32}, {"max_steps", steps}, {"eval_every", 1}, {"dropout", false}});
    const TrainResult result = train(job(options, {}, 10));
    const auto& lines = result.report.evaluations;
    const double share = optim == "spsa" ? 0.998 : 0.99;  // a random walk with a drift
    EXPECT_LT(lines.back().at("train_loss").get<double>(), share * lines.front().at("train_loss").get<double>()) << optim;
  }
}

TEST_F(Solvers, EndWithTheSameBits_AfterAStopBehindAnyStep) {
  for (const std::string& optim : all_solvers()) {
    const bool beside = optim == "lbfgs" || optim == "levenberg_marquardt";
    const std::set<Part> parts = beside ? std::set<Part>{Part::head} : std::set<Part>{};
    const auto run = [&](int64_t at, const std::filesystem::path& work) {
      TrainJob stopped = job(options_of(optim), parts);
      if (!work.empty()) stopped.work = work;
      stopped.observers.push_back(std::make_unique<StoppingObserver>(at));
      return train(std::move(stopped));
    };
    const TrainResult whole = run(1, {});
    for (const int64_t at : {1, 4}) {
      const auto work = scratch.path() / (optim + std::to_string(at));
      StoppingObserver::stop = true;
      watch_interrupts();
      EXPECT_THROW(run(at, work), Error) << optim;
      clear_interrupt();
      StoppingObserver::stop = false;
      const TrainResult resumed = run(at, work);
      EXPECT_TRUE(at::equal(resumed.coordinates, whole.coordinates)) << optim << " " << at;
      EXPECT_EQ(resumed.report.evaluations, whole.report.evaluations) << optim << " " << at;
      EXPECT_EQ(resumed.report.forward_passes, whole.report.forward_passes) << optim;
      for (const std::string& name : whole.last_weights.names())
        EXPECT_TRUE(at::equal(resumed.last_weights.at(name), whole.last_weights.at(name))) << optim << " " << name;
    }
  }
}

TEST_F(Solvers, LeaveHeadAndEmbeddingsToAdamW) {
  for (const std::string& optim : kGradient) {
    const TrainResult result = train(job(options_of(optim), {Part::head, Part::embeddings}));
    EXPECT_FALSE(at::equal(result.last_weights.at("classifier.weight"), model.weights.at("classifier.weight"))) << optim;
    EXPECT_TRUE(at::equal(result.last_weights.at("bert.pooler.dense.weight"), model.weights.at("bert.pooler.dense.weight"))) << optim;
  }
  // The first step of AdamW moves every number of the head by its learning rate: the gradient of other coordinates does not add to it.
  const TrainResult once = train(job({{"optim", "lbfgs"}, {"max_steps", 1}, {"lr_scheduler_type", "constant"}}, {Part::head}));
  const at::Tensor moved = once.last_weights.at("classifier.weight") - model.weights.at("classifier.weight");
  EXPECT_NEAR(moved.abs().max().item<double>(), 5e-3, 1e-5);
}

TEST_F(Solvers, CountTheirPasses) {
  const TrainResult adamw = train(job({{"gradient_accumulation_steps", 2}, {"batch_size", 8}}));
  EXPECT_EQ(adamw.report.forward_passes, 12);
  EXPECT_EQ(adamw.report.backward_passes, 12);
  const TrainResult spsa = train(job(options_of("spsa")));
  EXPECT_EQ(spsa.report.forward_passes, 12);
  const TrainResult cma = train(job({{"optim", "cma_es"}, {"population", 5}}));
  EXPECT_EQ(cma.report.forward_passes, 30);
  const TrainResult lm = train(job({{"optim", "levenberg_marquardt"}, {"max_steps", 1}, {"batch_size", 8}}));
  EXPECT_TRUE(lm.report.to_json().contains("failed_steps"));
  EXPECT_FALSE(adamw.report.to_json().contains("failed_steps"));
  EXPECT_EQ(lm.report.backward_passes, 1 + 8 * 2);
  const TrainResult differences = train(job({{"optim", "levenberg_marquardt"}, {"lm_jacobian", "differences"}, {"max_steps", 1}}));
  EXPECT_EQ(differences.report.backward_passes, 1);
  EXPECT_GE(differences.report.forward_passes, 1 + 1 + 6 + 1 + 1);
}

TEST_F(Solvers, StopAtTheBudgetOfForwardPasses_AndEvaluateThere) {
  const TrainResult adamw = train(job({{"max_forward_passes", 10}, {"max_steps", 100}, {"eval_every", -1}}));
  EXPECT_EQ(adamw.report.steps, 4);  // of three passes each
  EXPECT_EQ(adamw.last.step, 4);
  const TrainResult spsa = train(job({{"optim", "spsa"}, {"max_forward_passes", 10}, {"max_steps", 100}, {"eval_every", -1}}));
  EXPECT_EQ(spsa.report.steps, 5);
  EXPECT_EQ(spsa.report.evaluations.back().at("forward_passes"), 10);
}

TEST_F(Solvers, HoldNoGradients_WhereTheyMakeForwardPassesAlone) {
  for (const std::string& optim : kForwardOnly) {
    const TrainResult result = train(job(options_of(optim)));
    EXPECT_EQ(result.report.gradient_bytes, 0) << optim;
    EXPECT_EQ(result.report.backward_passes, 0) << optim;
    EXPECT_EQ(result.report.backward_share, 0) << optim;
  }
  const int64_t encoder = select_parameters(*model.family, {}).layout.total();
  EXPECT_EQ(train(job({{"optim", "lbfgs"}})).report.gradient_bytes, 4 * (encoder + 6));
}

TEST_F(Solvers, TakeSeveralMicroBatchesForOneBigBatch_WithoutDropout) {
  for (const std::string& optim : all_solvers()) {
    json big = options_of(optim), small = big;
    big.update({{"dropout", false}, {"max_steps", 2}, {"batch_size", 32}});
    small.update({{"dropout", false}, {"max_steps", 2}, {"batch_size", 8}, {"gradient_accumulation_steps", 4}});
    const at::Tensor a = train(job(big)).coordinates, b = train(job(small)).coordinates;
    EXPECT_LT((a - b).abs().max().item<double>(), 1e-3 * std::max(1.0, a.abs().max().item<double>())) << optim;
  }
}

/// A loss at coordinates of the toy, with dropout, and its pieces against one another.
TEST_F(Solvers, SeeTheSameMasksInEveryCall_AndExactDerivatives) {
  const Task rows = toy::sentiment(8, 8);
  TrainJob small = job(json::object());
  const EncodedSplit split = encode_split(rows, rows.split("train"), *model.tokenizer, {.max_length = 32});
  Binding binding(*model.family, model.weights, small.tune, Key::root(1), at::kCPU);
  ForwardOptions forward;
  forward.training = true;
  forward.dropout = Key::root(5);
  const std::vector<int64_t> numbers = {0, 1, 2, 3, 4};
  std::vector<MicroBatch> batches;
  batches.push_back({to_device(pack_batch(split, numbers), model.family->head(), at::kCPU), 1, forward});
  BatchLoss loss(*model.family, binding, std::move(batches),
                 [&](const Output& output, const PackedBatch& batch) { return task_loss(model.family->head(), output, batch); });
  const at::Tensor z = 0.1 * at::arange(6, at::kDouble) - 0.2;
  EXPECT_EQ(loss.value(z), loss.value(z));
  const auto at_z = loss.with_gradient(z);
  EXPECT_EQ(at_z.value, loss.value(z));
  const at::Tensor y = loss.outputs(z);
  EXPECT_NEAR(loss.of_outputs(y).item<double>(), at_z.value, 1e-6);
  const at::Tensor exact = loss.jacobian(z);
  EXPECT_LT((exact - jacobian_by_differences(loss, z, 1e-2)).abs().max().item<double>(), 0.02);
  const at::Tensor u = at::sin(at::arange(y.numel(), at::kDouble)).view(y.sizes());
  EXPECT_LT((exact.t().mv(u.flatten()) - loss.pull_back(z, u)).abs().max().item<double>(), 1e-5);
  const at::Tensor leaf = y.clone().set_requires_grad(true);
  loss.of_outputs(leaf).backward();
  EXPECT_LT((exact.t().mv(leaf.grad().flatten()) - at_z.gradient).abs().max().item<double>(), 1e-5);
}

TEST_F(Solvers, FindTheSameStepWithoutAMatrix_BeyondTheLimit) {
  const TrainResult big = train(job({{"optim", "levenberg_marquardt"}, {"max_steps", 2}, {"dropout", false}}, {}, 300));
  EXPECT_EQ(big.coordinates.numel(), 600);
  EXPECT_GT(big.coordinates.abs().max().item<double>(), 0);
  EXPECT_LT(big.report.backward_passes, 2 * (1 + 20 * 10));
}

TEST_F(Solvers, DoRegressionsAndTags) {
  for (auto make : {&toy::degrees, &toy::tags}) {
    toy::TaskModel small = toy::with_bert(make());
    for (const std::string& optim : all_solvers()) {
      json options = options_of(optim);
      options.update({{"batch_size", 8}, {"max_steps", 2}});
      TrainJob one = toy::job(small.model, small.task, options, scratch.path() / std::to_string(runs++));
      one.tune.subspace = std::make_shared<FewDirections>(select_parameters(*small.model.family, {}), 2);
      one.tune.scope = scope_of_parts(*small.model.family, {Part::encoder});
      EXPECT_GT(train(std::move(one)).coordinates.abs().max().item<double>(), 0) << optim;
    }
  }
}

class SolverRefusals : public Solvers {
 protected:
  std::string refusal(TrainJob given) {
    return testing::message_of(ErrorKind::user, [&] { train(std::move(given)); });
  }
};

TEST_F(SolverRefusals, RefusesFullSpace) {
  for (const std::string& optim : all_solvers()) {
    TrainJob full = toy::job(model, task, options_of(optim), scratch.path() / optim);
    EXPECT_THAT(refusal(std::move(full)), HasSubstr("optim = \"" + optim + "\" moves the coordinates of a subspace"));
  }
}

TEST_F(SolverRefusals, RefusesMoreThan512Coordinates_ButForLevenbergMarquardt) {
  for (const std::string optim : {"lbfgs", "p_bfgs", "cma_es", "spsa"})
    EXPECT_THAT(refusal(job(options_of(optim), {}, 257)), HasSubstr("optim = \"" + optim + "\" takes at most 512 coordinates, found 514"));
}

TEST_F(SolverRefusals, RefusesAnEnsemble) {
  TrainJob ensemble = job({{"optim", "lbfgs"}});
  ensemble.tune.ensemble = 4;
  EXPECT_THAT(refusal(std::move(ensemble)), HasSubstr("expected ensemble = 1, found 4"));
}

TEST_F(SolverRefusals, RefusesPlugins) {
  TrainJob plugged = job({{"optim", "p_bfgs"}});
  plugged.plugins.push_back(regularizer("idle", [](const MethodInputs&) { return std::make_unique<Idle>(); }));
  EXPECT_THAT(refusal(std::move(plugged)), HasSubstr("optim = \"p_bfgs\" asks for the loss at several coordinates in a step, but 'idle'"));
}

TEST_F(SolverRefusals, RefusesATrainedHead_WithoutGradients) {
  for (const std::string& optim : kForwardOnly)
    EXPECT_THAT(refusal(job(options_of(optim), {Part::head})), HasSubstr("nothing else can be trained beside the coordinates; found head"));
}

TEST_F(SolverRefusals, RefusesAHeadOverWords_UnderLevenbergMarquardt) {
  toy::TaskModel small = toy::with_gpt2(toy::documents());
  TrainJob one = toy::job(small.model, small.task, {{"optim", "levenberg_marquardt"}}, scratch.path() / "words");
  one.tune.subspace = std::make_shared<FewDirections>(select_parameters(*small.model.family, {}), 2);
  one.tune.scope = scope_of_parts(*small.model.family, {Part::encoder});
  EXPECT_THAT(refusal(std::move(one)), HasSubstr("differentiates every output, and a causal_lm head has one for every word"));
}

TEST_F(SolverRefusals, RefusesOptionsThatNothingReads) {
  const std::vector<std::pair<json, std::string>> all = {
      {{{"optim", "cma_es"}, {"adam_beta1", 0.5}}, "adam_beta1"},   {{{"optim", "lbfgs"}, {"sigma", 0.5}}, "sigma"},
      {{{"optim", "spsa"}, {"warmup_ratio", 0.5}}, "warmup_ratio"}, {{{"optim", "p_bfgs"}, {"lbfgs_history", 3}}, "lbfgs_history"},
      {{{"optim", "spsa"}, {"population", 8}}, "population"},       {{{"optim", "lbfgs"}, {"lm_damping", 3.0}}, "lm_damping"},
      {{{"optim", "cma_es"}, {"spsa_a", 0.5}}, "spsa_a"},           {{{"lm_jacobian", "differences"}}, "lm_jacobian"}};
  for (const auto& [options, name] : all) EXPECT_THAT(refusal(job(options)), HasSubstr("option '" + name + "' is "));
}

/// The trials of option_table_test.cpp that need a subspace.
TEST_F(Solvers, ReadEveryOptionOfTheirs) {
  const std::vector<std::pair<json, json>> all = {
      {{{"optim", "lbfgs"}}, {{"lbfgs_history", 1}}},
      {{{"optim", "levenberg_marquardt"}}, {{"lm_damping", 30.0}}},
      {{{"optim", "levenberg_marquardt"}}, {{"lm_jacobian", "differences"}}},
      {{{"optim", "levenberg_marquardt"}, {"lm_jacobian", "differences"}}, {{"lm_difference", 0.1}}},
      {{{"optim", "cma_es"}}, {{"population", 4}}},
      {{{"optim", "cma_es"}}, {{"sigma", 0.3}}},
      {{{"optim", "spsa"}}, {{"spsa_a", 0.3}}},
      {{{"optim", "spsa"}}, {{"spsa_c", 0.3}}},
      {{{"optim", "spsa"}}, {{"spsa_stability", 3.0}}},
  };
  for (const auto& [plain, change] : all) {
    json changed = plain;
    changed.update(change);
    EXPECT_FALSE(at::equal(train(job(plain)).coordinates, train(job(changed)).coordinates)) << change;
  }
}

}  // namespace
}  // namespace tsrun::training
