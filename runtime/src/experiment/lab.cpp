#include "tsrun/experiment/lab.h"

#include "experiment/handed_out.h"
#include "tsrun/base/display.h"
#include "tsrun/base/error.h"
#include "tsrun/base/log.h"
#include "tsrun/base/parallel.h"
#include "tsrun/base/suggest.h"
#include "tsrun/store/run_folder.h"
#include "tsrun/train/diverged.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace tsrun {

using nlohmann::json;

struct Lab::State {
  LabSettings settings;
  std::optional<Store> store;
  PluginHost plugins;
  std::vector<Operation> operations;
  std::vector<StageRecord> history;
  std::unordered_map<std::string, json> seen;          ///< results by key: an artifact never changes
  std::unordered_map<std::string, Diverged> diverged;  ///< by key: the same training would diverge again
  experiment::HandedOut handed_out;
  std::optional<RunFolder> run;
  const Operation* running = nullptr;  ///< the operation that was called last
  std::string name;                    ///< its option `name`
  CallContext context;                 ///< of that call

  /// A call of an operation; takes the option `name` out of its values.
  class Call {
   public:
    Call(State& state, const Operation& operation, json& values, const CallContext& context)
        : state_(state), outer_(state.running), outer_name_(state.name), outer_context_(std::exchange(state.context, context)) {
      state.running = &operation;
      if (!operation.named) return;
      state.name = values.value("name", "");
      values.erase("name");
    }
    ~Call() {
      state_.running = outer_;
      state_.name = outer_name_;
      state_.context = outer_context_;
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    State& state_;
    const Operation* outer_;
    std::string outer_name_;
    CallContext outer_context_;
  };
};

namespace {

void check_device(const at::Device& device) {
  if (device.is_cuda() && !at::hasCUDA())
    user_error("--device {}: this LibTorch sees no CUDA device; use --device cpu, or set TSRUN_TORCH to one with CUDA", device.str());
}

json as_json(const Artifact& artifact) {
  json result = artifact.meta.value("summary", json::object());
  result["artifact"] = artifact.kind;
  result["key"] = artifact.key;
  return result;
}

/// The stage without its work: an artifact in the store, or the summary of the plan.
json planned(const Store& store, const StageKey& key, const json& summary_of_plan, Lab::StageRecord& record) {
  if (const auto found = store.find(key)) {
    record.outcome = "in the store";
    record.seconds = found->meta.value("seconds", 0.0);
    return as_json(*found);
  }
  record.outcome = "planned";
  json result = summary_of_plan.is_object() ? summary_of_plan : json::object();
  result.update({{"artifact", key.kind}, {"key", record.key}, {"planned", true}});
  return result;
}

RunDescription describe_run(const LabSettings& settings, const PluginHost& plugins) {
  RunDescription run;
  run.command = settings.command;
  run.settings = {{"seed", settings.seed}, {"device", settings.device.str()}, {"threads", threads()}, {"store", settings.store.string()}};
  run.seeds = {settings.seed};
  run.versions = {{"tsrun", TSRUN_VERSION}, {"torch", TORCH_VERSION}};
  for (const auto& plugin : plugins.plugins()) run.versions[plugin.name] = plugin.version;
  return run;
}

Option name_option() { return {.name = "name", .type = OptionType::text, .doc = "name in the display; part of no key"}; }

/// Sends a stage's line to the display.
void tell(const Lab::StageRecord& record, const std::string& outcome, double work) {
  News news;
  news.kind = News::Kind::stage;
  news.title = record.title;
  news.key = record.key;
  news.stage = record.kind;
  news.outcome = outcome;
  news.seconds = record.seconds;
  news.work = work;
  Display::get().take(0, news);
}

const Operation& find_operation(const std::vector<Operation>& operations, const std::string& name) {
  for (const auto& operation : operations)
    if (operation.name == name) return operation;
  std::vector<std::string> known;
  for (const auto& operation : operations) known.push_back(operation.name);
  user_error("unknown operation '{}'{}", name, did_you_mean(name, known));
}

/// The arguments of a call, checked and completed. Unreadable ones are the user's mistake.
json resolved_arguments(Lab& lab, const Operation& operation, const json& arguments) {
  try {
    OptionTable table = operation.options;
    if (operation.more) table.include(operation.more(lab, arguments));
    return table.resolve(arguments, operation.name).json();
  } catch (const json::exception& error) {
    user_error("{}: an argument is not what ts returned: {}", operation.name, error.what());
  }
}

}  // namespace

Lab::Lab(LabSettings settings) : state_(std::make_unique<State>()) {
  check_device(settings.device);
  state_->settings = std::move(settings);
  state_->plugins.load(PluginHost::search_path(state_->settings.plugins));
  for (const RefusedPlugin& refused : state_->plugins.refused()) log_warning("{}; the plugin is left out", refused.reason);
  for (const auto& gather :
       {model_operations, tokenizer_operations, architecture_operations, training_operations, evaluation_operations, generation_operations,
        trajectory_operations, tuning_operations, mask_operations, selection_operations, joint_operations, decoding_operations,
        low_rank_operations, crossing_operations, quantize_operations, zoo_operations, geometry_operations, report_operations})
    for (auto& operation : gather()) add(std::move(operation));
}

Lab::~Lab() = default;

const LabSettings& Lab::settings() const { return state_->settings; }

Store& Lab::store() {
  if (!state_->store)
    state_->store.emplace(state_->settings.store, state_->settings.plan_only ? Store::Access::read : Store::Access::write);
  return *state_->store;
}

const PluginHost& Lab::plugins() const { return state_->plugins; }
const std::vector<Operation>& Lab::operations() const { return state_->operations; }
const std::vector<Lab::StageRecord>& Lab::history() const { return state_->history; }

RunFolder& Lab::begin_run(const std::filesystem::path& recipe, const json& arguments, const json& libraries) {
  if (state_->run) internal_error("a second run is begun in one laboratory: {}", recipe.string());
  RunDescription run = describe_run(state_->settings, state_->plugins);
  run.recipe = recipe;
  run.arguments = arguments;
  run.libraries = libraries;
  return state_->run.emplace(RunFolder::begin(state_->settings.runs, run));
}

RunFolder* Lab::begun_run() { return state_->run ? &*state_->run : nullptr; }

void Lab::add(Operation operation) {
  for (const auto& other : state_->operations)
    if (other.name == operation.name) internal_error("operation '{}' is declared twice", operation.name);
  if (operation.named) operation.options.add(name_option());
  state_->operations.push_back(std::move(operation));
}

json Lab::call(const std::string& name, const json& arguments, const CallContext& context) {
  const auto& operation = find_operation(state_->operations, name);
  try {
    json values = resolved_arguments(*this, operation, arguments);
    const State::Call call(*state_, operation, values, context);
    json result = operation.run(*this, Options(std::move(values)));
    state_->handed_out.remember(result);
    return result;
  } catch (const json::exception& error) {
    if (!state_->handed_out.knows(arguments)) user_error("{}: an argument is not what ts returned: {}", name, error.what());
    internal_error("{}: {}", name, error.what());
  } catch (const Error& error) {
    const std::string message = error.what();
    if (error.kind() == ErrorKind::internal && !state_->handed_out.knows(arguments))
      user_error("{}: an argument is not what ts returned: {}", name, message);
    if (error.kind() != ErrorKind::user || message.starts_with(name + ":")) throw;
    throw Error(ErrorKind::user, name + ": " + message);
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    if (message.find("not enough memory") != message.npos || message.find("out of memory") != message.npos)
      run_error("{}: {}", name, message);
    internal_error("{}: {}", name, message);
  }
}

json Lab::made_by(const std::string& name) const {
  const auto& operation = find_operation(state_->operations, name);
  const auto device = operation.on_device ? state_->settings.device.type() : at::kCPU;
  return {{"operation", name},
          {"version", operation.version},
          {"tsrun", TSRUN_VERSION},
          {"torch", TORCH_VERSION},
          {"device", c10::DeviceTypeName(device, /*lower_case=*/true)}};
}

std::string Lab::title_of(const std::string& what) const { return state_->name.empty() ? what : state_->name; }
std::string Lab::title_of(const std::string& what, int64_t seed) const { return fmt::format("{}, seed {}", title_of(what), seed); }

json Lab::stage(StageKey key, const std::string& title, const json& summary_of_plan, const Store::Make& make, double work) {
  if (state_->running != nullptr) key.made_by = made_by(state_->running->name);
  StageRecord record{title, key.kind, key.digest(), "read", 0};
  if (const auto known = state_->seen.find(record.key); known != state_->seen.end()) return known->second;
  if (const auto known = state_->diverged.find(record.key); known != state_->diverged.end()) throw known->second;
  json result;
  if (state_->settings.plan_only) {
    result = planned(store(), key, summary_of_plan, record);
  } else {
    const auto computing = [&](const std::filesystem::path& out, const std::filesystem::path& work_folder) {
      record.outcome = "computed";
      if (state_->context.before_work) state_->context.before_work();
      tell(record, "running", work);
      try {
        return make(out, work_folder);
      } catch (const Diverged& error) {
        tell(record, "diverged", work);
        state_->diverged.emplace(record.key, error);
        throw;
      }
    };
    const auto artifact = store().compute(key, state_->context.wait, computing);
    if (!artifact) throw Busy{};
    record.seconds = artifact->meta.value("seconds", 0.0);
    result = as_json(*artifact);
  }
  tell(record, record.outcome, work);
  state_->seen[record.key] = result;
  state_->history.push_back(std::move(record));
  return result;
}

}  // namespace tsrun
