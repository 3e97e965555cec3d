// Times one optimiser step as the trainer runs it: token ids of the batch, forward, backward, clipping, update.
//
// usage: bench_step MODEL TASK [--method full|subspace|subspace_and_embeddings|lora] [--plugin
// none|still|mask|layers|cached|compact|sift|r_drop|dps_dense|dps_mix|cosine|laplacian|galore|apollo|apollo_mini]
// [--basis dense|float32|bf16] [--layers 2] [--precision float32|bf16] [--steps 12] [--batch 32] [--rows 0] [--threads 2] [--max-length
// 128] still: no dropout; mask: 70 % of every matrix of the layers; layers: the last `layers`; cached: the same with the output of the
// others kept; laplacian: ten nearest neighbours, found in the first step; compact: 1 % of every tensor, without memory for the rest; sift:
// 0.8 % of every matrix of the layers, the same, and the rest frozen; dps: stages of 11 steps; galore, apollo: rank 64. Only the first
// `rows` rows are used (0: all). Several methods or plugins, with commas between, are trained side by side in one process, a step of each
// in turn, so that noise of the machine meets all of them. basis of subspace: 32 directions a layer, random in memory (dense), or those of
// a random trajectory in a temporary file, factored. Prints one JSON line each: median and mean seconds a step, their ratio to those of the
// first (the median over steps, and that of the means), real tokens a second, first and last loss, peak MiB and those that back no file,
// bytes of gradients and moments. The first three steps warm up.
#include "train/step.h"
#include "benchmark.h"
#include "train/split_probe.h"
#include "tsrun/base/memory.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/parallel.h"
#include "tsrun/data/task.h"
#include "tsrun/linalg/rows.h"
#include "tsrun/model/model.h"
#include "tsrun/plugin/host.h"
#include "tsrun/train/train.h"

#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>

namespace tsrun {
namespace {

/// A temporary folder that is removed when the program ends.
class FolderToRemove {
 public:
  FolderToRemove() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tsrun-bench-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) run_error("no temporary folder: {}", pattern);
    path_ = pattern;
  }
  ~FolderToRemove() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

const PluginHost& plugins() {
  static PluginHost* host = nullptr;  // what it loads is never unloaded
  if (host == nullptr) {
    host = new PluginHost();
    host->load(PluginHost::search_path({}));
  }
  return *host;
}

StepPlugin selector(const std::string& name, const nlohmann::json& given) {
  const SelectorMethod& method = plugins().selector(name);
  const Options options = method.options().resolve(given, "bench_step");
  return {name, given, method.wants(options), [&method, options](const MethodInputs& inputs) { return method.make(inputs, options); }, {}};
}

StepPlugin regularizer(const std::string& name, const nlohmann::json& given) {
  const RegularizerMethod& method = plugins().regularizer(name);
  const Options options = method.options().resolve(given, "bench_step");
  return {name, given, method.wants(options), {}, [&method, options](const MethodInputs& inputs) { return method.make(inputs, options); }};
}

constexpr int64_t dps_stage = 11;  ///< int(0.05 T) for three epochs of rte in batches of 32, by the reference's rule

std::vector<StepPlugin> step_plugins(const std::string& named, int64_t layers) {
  if (named == "mask") return {selector("random_mask", {{"share", 0.7}})};
  if (named == "layers") return {selector("last_layers", {{"layers", layers}})};
  if (named == "dps_dense") return {selector("dps", {{"stage_steps", dps_stage}})};
  if (named == "dps_mix") return {selector("dps", {{"stage_steps", dps_stage}, {"variant", "mix"}})};
  if (named == "cosine") return {regularizer("cosine", nlohmann::json::object())};
  if (named == "laplacian") return {regularizer("laplacian", {{"graph", "knn_given"}, {"neighbours", 10}})};
  if (named == "galore" || named == "apollo") return {regularizer(named, {{"rank", 64}})};
  if (named == "apollo_mini") return {regularizer("apollo", {{"rank", 1}, {"scale_type", "tensor"}, {"scale", 128}})};
  if (named == "r_drop") return {regularizer("r_drop", nlohmann::json::object())};
  return {};
}

/// What `method` chooses once.
Scope chosen(const std::string& method, const nlohmann::json& given, const Model& model, const EncodedSplit& split) {
  const SelectorMethod& selector = plugins().selector(method);
  training::ProbedRows spent;
  const auto probe = training::make_split_probe(
      *model.family, [&]() -> const EncodedSplit& { return split; }, std::nullopt, true, at::kCPU, spent);
  const Options options = selector.options().resolve(given, "bench_step");
  return selector.choose({*model.family, model.weights, Key::root(6), 0, 0, probe.get()}, options)->scope;
}

Scope static_scope(const std::string& named, int64_t layers, const Model& model, const EncodedSplit& split) {
  Scope scope;
  if (named == "sift") scope = chosen("sift", nlohmann::json::object(), model, split);
  if (named == "cached") scope = chosen("last_layers", {{"layers", layers}}, model, split);
  if (named == "compact")
    scope = chosen("random_mask", {{"share", 0.01}, {"matrices_only", false}, {"parts", {"embeddings", "encoder", "pooler", "head"}}},
                   model, split);
  scope.cache_prefix = named == "cached";
  scope.compact = named == "compact" || named == "sift";
  return scope;
}

int64_t bytes_of_gradients_and_moments(const Binding& binding, const Optimizer& optimizer, const training::StepPlugins& acting) {
  size_t bytes = 0;
  for (const ParameterGroup& group : binding.groups()) bytes += group.gradient.nbytes();
  for (const auto& [name, tensor] : optimizer.state()) bytes += tensor.nbytes();
  for (const auto& [name, tensor] : acting.tensors()) bytes += tensor.nbytes();
  return static_cast<int64_t>(bytes);
}

/// r = 8 on query and value, as the peer has it.
void attach_lora(Model& model) {
  const DeltaMethod& lora = plugins().delta("lora");
  const std::vector<std::shared_ptr<const Delta>> deltas = {
      lora.attach(*model.family, lora.options().resolve({{"lora_dropout", 0.1}}, "bench_step"))};
  model.family = adapt(model.family, deltas);
  add_initial_values(deltas, model.weights, Key::root(4));
}

/// The first 32 points of a random walk, recorded in `folder`.
void record_random(const std::filesystem::path& folder, const ParameterSet& set, const at::Tensor& origin, RowType type) {
  TrajectoryWriter writer(folder, set.layout, origin, type);
  at::Tensor weights = origin.clone(), change = at::empty_like(origin);
  for (int64_t i = 1; i <= 32; ++i) {
    const auto count = static_cast<size_t>(change.numel());
    fill_uniform(Key::root(static_cast<uint64_t>(i)), {change.mutable_data_ptr<float>(), count}, 0, -1e-3f, 1e-3f);
    writer.append({i, static_cast<double>(i)}, weights.add_(change));
  }
}

std::shared_ptr<const Subspace> factored_basis(const Model& model, const ParameterSet& set, RowType type) {
  const SubspaceMethod& method = plugins().subspace("trajectory_svd");
  static const FolderToRemove folder;  // lives as long as the basis, which maps its files
  record_random(folder.path(), set, flatten(model.weights, set.layout), type);
  const Trajectory trajectory = Trajectory::open(folder.path());
  SubspaceInputs inputs;
  inputs.parameters = set;
  inputs.trajectory = &trajectory;
  return method.discover(inputs, method.options().resolve({{"variant", "delta"}}, "bench_step"));
}

std::shared_ptr<const Subspace> basis_of(const std::string& kind, const Model& model) {
  const ParameterSet set = select_parameters(*model.family, {});
  if (kind == "dense") {
    const SubspaceMethod& method = plugins().subspace("random_projection");
    SubspaceInputs inputs;
    inputs.parameters = set;
    return method.discover(inputs, method.options().resolve({{"dim", 32}}, "bench_step"));
  }
  return factored_basis(model, set, kind == "bf16" ? RowType::bfloat16 : RowType::float32);
}

TuneOptions tune_options(const std::string& method, const Arguments& arguments, const Model& model) {
  const Family& family = *model.family;
  TuneOptions tune;
  tune.weight_decay = 0.01;
  if (method == "full") return tune;
  std::set<Part> parts = {Part::encoder, Part::decoder, Part::pooler, Part::head, Part::delta};
  if (method == "subspace_and_embeddings") parts.insert(Part::embeddings);
  tune.scope = scope_of_parts(family, parts);
  if (method == "lora") {
    tune.scope = scope_of_parts(family, {Part::delta, Part::head});
    return tune;
  }
  if (method != "subspace" && method != "subspace_and_embeddings")
    user_error("--method: '{}', expected full, subspace, subspace_and_embeddings or lora", method);
  tune.subspace = basis_of(arguments.text("--basis", "dense"), model);
  return tune;
}

/// One of the trainings that run side by side.
class Side {
 public:
  Side(const std::string& method, const std::string& plugin, const Arguments& arguments, Model model, const EncodedSplit& split,
       int64_t steps)
      : name_(fmt::format("{}, {}", method, plugin)),
        model_(std::move(model)),
        layers_(arguments.number("--layers", 2)),
        steps_(steps),
        binding_(*model_.family, model_.weights, tune(method, plugin, arguments, split), Key::root(1), at::kCPU),
        acting_(step_plugins(plugin, layers_), {*model_.family, binding_.origin(), Key::root(5), steps}),
        stepper_(*model_.family, split, binding_, settings(plugin, arguments), at::kCPU, acting_) {
    stepper_.keep_prefixes_in({});
  }

  /// `encode` makes token ids of the rows.
  void step(int64_t number, const std::vector<int64_t>& rows, const std::function<void(int64_t)>& encode) {
    times_.start();
    for (const int64_t row : rows) encode(row);  // tokenised every time: a user's loader does it beside each step
    const training::StepReport report =
        stepper_.run({.step = number, .planned = steps_}, {rows}, Key::root(3).split(static_cast<uint64_t>(number)), 1);
    times_.stop(number, report.loss, report.tokens);
  }
  const StepTimes& times() const { return times_; }
  void print(const StepTimes& first, double own_peak_mib) const {
    times_.print(fmt::format(
        ", \"side\": \"{}\", \"ratio\": {:.4f}, \"ratio_of_means\": {:.4f}, \"gradients_and_moments\": {}, \"own_peak_mib\": {:.0f}", name_,
        times_.ratio_to(first), times_.mean() / first.mean(), bytes_of_gradients_and_moments(binding_, stepper_.optimizer(), acting_),
        own_peak_mib));
  }

 private:
  TuneOptions tune(const std::string& method, const std::string& plugin, const Arguments& arguments, const EncodedSplit& split) {
    if (method == "lora") attach_lora(model_);
    TuneOptions tune = tune_options(method, arguments, model_);
    tune.scope = intersection(tune.scope, static_scope(plugin, layers_, model_, split));
    tune.owned = training::owned_parameters(step_plugins(plugin, layers_), *model_.family);
    return tune;
  }
  static TrainSettings settings(const std::string& plugin, const Arguments& arguments) {
    return TrainSettings::from(
        train_options().resolve({{"precision", arguments.text("--precision", "float32")}, {"dropout", plugin != "still"}}, "bench_step"));
  }

  std::string name_;
  Model model_;
  int64_t layers_, steps_;
  Binding binding_;
  training::StepPlugins acting_;
  training::Stepper stepper_;
  StepTimes times_;
};

void run(const Arguments& arguments) {
  set_threads(static_cast<int>(arguments.number("--threads", 2)));
  const int64_t batch = arguments.number("--batch", 32), steps = std::max(warm_up + 1, arguments.number("--steps", 12));
  const int64_t longest = arguments.number("--max-length", 128);
  const Task task = load_task(arguments.operands[1]);
  const Model model = load_model(arguments.operands[0], head_for(task, ModelKind::encoder), Key::root(0));
  std::vector<Example> examples = task.split("train").examples;
  if (const int64_t rows = arguments.number("--rows", 0); rows > 0) examples.resize(std::min(examples.size(), static_cast<size_t>(rows)));
  EncodedSplit split;
  split.rows.resize(examples.size());
  split.targets.resize(examples.size());
  const auto encode = [&](int64_t number) {
    const auto row = static_cast<size_t>(number);
    const Example& example = examples[row];
    const auto second = example.second ? std::optional<std::string_view>(*example.second) : std::nullopt;
    split.rows[row] = model.tokenizer->encode(example.first, second, longest);
    split.targets[row] = example.target;
  };
  for (size_t row = 0; row < examples.size(); ++row) encode(static_cast<int64_t>(row));

  std::vector<std::unique_ptr<Side>> sides;
  for (const std::string& method : arguments.list("--method", "full"))
    for (const std::string& plugin : arguments.list("--plugin", "none"))
      sides.push_back(std::make_unique<Side>(method, plugin, arguments, model, split, steps));
  const OwnMemory watch;  // of the training alone: the basis is there
  Sampler sampler(Key::root(2), static_cast<int64_t>(examples.size()), batch);
  for (int64_t step = 0; step < steps; ++step) {
    const auto rows = sampler.batch(step / sampler.batches_per_epoch(), step % sampler.batches_per_epoch());
    for (const auto& side : sides) side->step(step, {rows.begin(), rows.end()}, encode);
  }
  for (const auto& side : sides) side->print(sides.front()->times(), watch.peak_mib());
}

}  // namespace
}  // namespace tsrun

int main(int count, char** words) {
  return tsrun::run_benchmark("bench_step", [&] {
    tsrun::run(tsrun::Arguments(
        count, words, 2, "bench_step MODEL TASK [--method full,subspace] [--plugin none,cosine] [--precision float32|bf16] [--steps N] …"));
  });
}
