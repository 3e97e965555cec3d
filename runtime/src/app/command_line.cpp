#include "app/command_line.h"

#include "tsrun/base/error.h"
#include "tsrun/base/suggest.h"

#include <boost/program_options.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace tsrun::app {
namespace {

namespace po = boost::program_options;
using Texts = std::vector<std::string>;

po::options_description common_options() {
  po::options_description common("Options");
  auto add = common.add_options();
  add("set", po::value<Texts>()->value_name("NAME=VALUE"),
      "an argument of the recipe, or an option of predict, generate, score or geometry; may be repeated");
  add("seed", po::value<std::string>()->value_name("N"), "root of all randomness (1)");
  add("threads", po::value<std::string>()->value_name("N"),
      "threads ($OMP_NUM_THREADS, or the cores this process may use; 1 each when a sweep uses several processes)");
  add("device", po::value<std::string>()->value_name("DEVICE"), "cpu or cuda (cpu)");
  add("store", po::value<std::string>()->value_name("DIR"), "where artifacts are kept ($TSRUN_STORE, or .tsrun/store)");
  add("runs", po::value<std::string>()->value_name("DIR"), "where reports go (runs)");
  add("jobs", po::value<std::string>()->value_name("N"),
      "processes that share a sweep (as many as have cores for their threads: one a core without --threads)");
  add("plugins", po::value<Texts>()->value_name("DIR"), "search this folder for plugins first; may be repeated");
  add("quiet", "results only");
  add("debug", "more of the log, and a traceback when a recipe fails");
  add("help", "this text");
  add("version", "versions of tsrun and LibTorch");
  return common;
}

po::options_description verb_options() {
  po::options_description options("Options of single commands");
  auto add = options.add_options();
  add("pair", "tokenize: each line holds two texts with a tab between them");
  add("delta", po::value<std::string>()->value_name("DIR"), "predict, geometry: a folder that PEFT saved, put onto the model");
  add("split", po::value<std::string>()->value_name("NAME"), "predict: the split to predict (dev)");
  add("max-length", po::value<std::string>()->value_name("N"),
      "predict, score, geometry: longest row in tokens (128; score: what the model reads, up to 1024)");
  add("figures", po::value<std::string>()->value_name("DIR"), "geometry: draw figures into this folder");
  add("stubs", "describe: stubs of `ts` for the Lua language server");
  add("reference", "describe: the reference page of `ts`");
  add("json", "describe, plugins, show, compare, geometry, doctor: one JSON value instead of lines");
  return options;
}

/// Which verbs an option belongs to, where it is not common to all.
const std::map<std::string, Texts>& owners() {
  static const std::map<std::string, Texts> all = {
      {"pair", {"tokenize"}},      {"delta", {"predict", "geometry"}},
      {"split", {"predict"}},      {"max-length", {"predict", "score", "geometry"}},
      {"figures", {"geometry"}},   {"stubs", {"describe"}},
      {"reference", {"describe"}}, {"json", {"describe", "plugins", "show", "compare", "geometry", "doctor"}}};
  return all;
}

po::options_description all_options() {
  po::options_description all;
  all.add(common_options()).add(verb_options());
  all.add_options()("worker", "")("planner", "")("word", po::value<Texts>(), "");
  return all;
}

Texts option_names(const po::options_description& options) {
  Texts names;
  for (const auto& option : options.options())
    if (option->description() != "") names.push_back("--" + option->long_name());
  return names;
}

po::variables_map parse_words(int count, const char* const* words) {
  const auto options = all_options();
  po::positional_options_description positional;
  positional.add("word", -1);
  const int style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
  po::variables_map given;
  try {
    po::store(po::command_line_parser(count, words).options(options).positional(positional).style(style).run(), given);
  } catch (const po::unknown_option& error) {
    auto name = error.get_option_name();
    name = name.substr(0, name.find('='));
    user_error("unknown option '{}'{}; 'tsrun help' lists them", name, did_you_mean(name, option_names(options)));
  } catch (const po::error_with_option_name& error) {
    user_error("{}", error.what());
  } catch (const po::error& error) {
    user_error("command line: {}", error.what());
  }
  return given;
}

template <class T>
T number(const po::variables_map& given, const std::string& name, T least, T most) {
  const auto text = given[name].as<std::string>();
  std::istringstream stream(text);
  T value{};
  if (!(stream >> value) || !stream.eof() || text.front() == '-' || value < least || value > most)
    user_error("--{} is '{}', expected an integer from {} to {}", name, text, least, most);
  return value;
}

at::Device device_of(const std::string& text) {
  try {
    const at::Device device(text);
    if (device.is_cpu() || device.is_cuda()) return device;
  } catch (const std::exception&) {  // LibTorch's message lists its own thirty devices
  }
  const Texts known = {"cpu", "cuda"};
  user_error("--device is '{}', expected cpu, cuda or cuda:N{}", text, did_you_mean(text, known));
}

std::map<std::string, std::string> pairs_of(const Texts& settings) {
  std::map<std::string, std::string> values;
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == 0 || equals == setting.npos) user_error("--set {}: expected NAME=VALUE", setting);
    if (!values.emplace(setting.substr(0, equals), setting.substr(equals + 1)).second)
      user_error("--set {}: '{}' is set twice", setting, setting.substr(0, equals));
  }
  return values;
}

Texts verb_names() {
  Texts names;
  for (const auto& verb : verbs()) names.push_back(verb.name);
  return names;
}

/// Files that the first word may have meant: recipes beside the one that was named, and under recipes/.
Texts recipes_near(const std::filesystem::path& word) {
  Texts names;
  std::error_code ignored;
  for (const auto& folder : {word.parent_path(), std::filesystem::path("recipes")})
    for (const auto& entry : std::filesystem::directory_iterator(folder.empty() ? "." : folder, ignored))
      if (entry.path().extension() == ".lua") names.push_back(folder.empty() ? entry.path().filename().string() : entry.path().string());
  return names;
}

/// Splits the words into verb and operands. A word that names no verb must be a recipe.
void take_words(Command& command, Texts words) {
  const auto names = verb_names();
  if (words.empty()) return;
  const auto first = words.front();
  if (std::find(names.begin(), names.end(), first) != names.end()) {
    command.verb = first;
    words.erase(words.begin());
  } else {
    command.verb = "run";
    std::error_code ignored;
    if (!std::filesystem::exists(first, ignored) && !first.ends_with(".lua")) {
      auto known = names;
      for (auto& recipe : recipes_near(first)) known.push_back(std::move(recipe));
      user_error("unknown command '{}'{}; commands are {}, or name a recipe", first, did_you_mean(first, known), join_words(names));
    }
  }
  command.operands = std::move(words);
}

void check_operands(const Command& command) {
  for (const auto& verb : verbs()) {
    if (verb.name != command.verb) continue;
    const auto count = command.operands.size();
    if (count > verb.most || count < verb.least)
      user_error("tsrun {} {}: {} {} given", verb.name, verb.operands, count, count == 1 ? "word is" : "words are");
    if (command.verb != "run" && command.verb != "check") return;
    std::error_code ignored;
    const auto& recipe = command.operands.front();
    if (!std::filesystem::is_regular_file(recipe, ignored))
      data_error("{}: no such recipe{}", recipe, did_you_mean(recipe, recipes_near(recipe)));
  }
}

void check_owners(const po::variables_map& given, const std::string& verb) {
  for (const auto& [option, owner] : owners())
    if (given.count(option) != 0 && std::find(owner.begin(), owner.end(), verb) == owner.end())
      user_error("--{} belongs to 'tsrun {}'", option, fmt::join(owner, "', 'tsrun "));
}

std::filesystem::path store_of(const po::variables_map& given) {
  if (given.count("store") != 0) return given["store"].as<std::string>();
  const char* variable = std::getenv("TSRUN_STORE");
  return variable != nullptr && *variable != '\0' ? variable : ".tsrun/store";
}

void take_options(Command& command, const po::variables_map& given) {
  const auto has = [&](const char* name) { return given.count(name) != 0; };
  if (has("set")) command.values = pairs_of(given["set"].as<Texts>());
  if (has("seed")) command.lab.seed = number<uint64_t>(given, "seed", 0, uint64_t{1} << 53);
  if (has("threads")) command.threads = number<int>(given, "threads", 1, 4096);
  if (has("jobs")) command.jobs = number<int>(given, "jobs", 1, 4096);
  if (has("max-length")) command.max_length = number<int64_t>(given, "max-length", 3, 1 << 20);
  if (has("device")) command.lab.device = device_of(given["device"].as<std::string>());
  if (has("runs")) command.lab.runs = given["runs"].as<std::string>();
  if (has("delta")) command.delta = given["delta"].as<std::string>();
  if (has("figures")) command.figures = given["figures"].as<std::string>();
  if (has("split")) command.split = given["split"].as<std::string>();
  if (has("plugins"))
    for (const auto& folder : given["plugins"].as<Texts>()) command.lab.plugins.emplace_back(folder);
  command.lab.store = store_of(given);
  command.quiet = has("quiet");
  command.debug = has("debug");
  command.worker = command.lab.worker = has("worker");
  command.planner = has("planner");
  command.json = has("json");
  command.pairs = has("pair");
  command.stubs = has("stubs");
  command.reference = has("reference");
  if (command.quiet && command.debug) user_error("--quiet and --debug contradict each other");
}

}  // namespace

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {
      {"run", "RECIPE", "run a recipe (the default)", 1, 1},
      {"check", "RECIPE", "validate a recipe and print its plan; touches nothing", 1, 1},
      {"plugins", "", "list the plugins that are found", 0, 0},
      {"describe", "[NAME]", "options of a plugin, an operation, a verb or a recipe; without a name all that there is", 0, 1},
      {"show", "RUN", "what a run did, and its table", 1, 1},
      {"compare", "RUN RUN", "two runs side by side", 2, 2},
      {"tokenize", "MODEL", "lines of standard input as lists of ids", 1, 1},
      {"predict", "MODEL TASK", "a model's answer to every row of a split", 2, 2},
      {"generate", "MODEL TEXT", "what a language model writes behind (or for) a text", 2, 2},
      {"score", "MODEL FILE", "perplexity of a text file, per token and per byte", 2, 2},
      {"geometry", "MODEL [TASK]", "how a model's embeddings, or hidden states of a task's rows, lie in space", 1, 2},
      {"doctor", "", "check this installation", 0, 0},
      {"help", "", "this text", 0, 1},
  };
  return all;
}

Command parse_command(int count, const char* const* words) {
  const auto given = parse_words(count, words);
  Command command;
  command.lab.command.assign(words, words + count);
  take_words(command, given.count("word") != 0 ? given["word"].as<Texts>() : Texts());
  if (given.count("version") != 0) command.verb = "version";
  if (given.count("help") != 0) command.verb = "help";
  take_options(command, given);
  check_owners(given, command.verb);
  if (command.verb.empty() && count > 1) user_error("no recipe is given, and no command (see tsrun --help)");
  if (given.count("help") == 0) check_operands(command);
  return command;
}

nlohmann::json typed_values(const std::map<std::string, std::string>& given) {
  nlohmann::json values = nlohmann::json::object();
  for (const auto& [name, text] : given) {
    const auto parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    values[name] = parsed.is_discarded() ? nlohmann::json(text) : parsed;
  }
  return values;
}

std::string option_help() {
  std::ostringstream text;
  text << common_options() << "\n" << verb_options();
  return text.str();
}

}  // namespace tsrun::app
