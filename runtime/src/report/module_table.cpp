#include "tsrun/report/module_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace tsrun {

namespace {

using nlohmann::json;

/// bert.encoder.layer.0.attention → bert.encoder.layer.*.attention
std::string without_numbers(const std::string& module) {
  std::string out;
  for (size_t at = 0; at <= module.size();) {
    const size_t end = std::min(module.find('.', at), module.size());
    const std::string part = module.substr(at, end - at);
    const bool number = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    out += (out.empty() ? "" : ".") + (number ? "*" : part);
    at = end + 1;
  }
  return out;
}

/// Modules of one pattern, counted by their names without numbers.
struct Matched {
  std::string what;
  std::vector<std::pair<std::string, int64_t>> modules;
  int64_t numbers = 0;

  void add(const std::string& module, int64_t count) {
    const std::string name = without_numbers(module);
    const auto known = std::find_if(modules.begin(), modules.end(), [&](const auto& m) { return m.first == name; });
    if (known == modules.end()) {
      modules.emplace_back(name, 1);
    } else {
      ++known->second;
    }
    numbers += count;
  }
  std::string shown() const {
    constexpr size_t most = 3;
    std::vector<std::string> words;
    for (const auto& [name, count] : modules) words.push_back(count > 1 ? fmt::format("{} × {}", count, name) : name);
    const size_t more = words.size() > most ? words.size() - most : 0;
    words.resize(words.size() - more);
    return fmt::format("{}{}", fmt::join(words, ", "), more > 0 ? fmt::format(" and {} kinds more", more) : "");
  }
};

int64_t sum_of_frozen(const json& binding) {
  int64_t sum = 0;
  const json frozen = binding.value("frozen", json::object());
  for (const json& numbers : frozen) sum += numbers.get<int64_t>();
  return sum;
}

FreeTable::Entry words(const std::string& text) { return {.kind = FreeTable::Entry::Kind::words, .words = text}; }

std::string key_of(const std::vector<TrainedLine>& lines) {
  std::string key;
  for (const TrainedLine& line : lines) key += fmt::format("{}\n{}\n{}\n", line.what, line.modules, line.numbers);
  return key;
}

}  // namespace

std::vector<TrainedLine> delta_lines(const json& model) {
  std::vector<Matched> all;
  for (const json& match : model.value("matches", json::array())) {
    const std::string what = fmt::format("{}: {}", match.at("method").get<std::string>(), match.at("pattern").get<std::string>());
    auto found = std::find_if(all.begin(), all.end(), [&](const Matched& m) { return m.what == what; });
    if (found == all.end()) found = all.insert(all.end(), Matched{.what = what, .modules = {}});
    found->add(match.at("module"), match.at("numbers"));
  }
  std::vector<TrainedLine> lines;
  for (const Matched& matched : all) lines.push_back({matched.what, matched.shown(), matched.numbers});
  return lines;
}

std::vector<TrainedLine> trained_lines(const json& run) {
  const json binding = run.value("binding", json::object());
  if (!run.contains("model") || !run.at("model").contains("matches") || !binding.contains("groups") || binding.contains("subspace"))
    return {};
  int64_t trained_delta = 0, others = 0, asked = 0;
  std::vector<TrainedLine> rest;
  for (const json& group : binding.at("groups")) {
    const std::string name = group.at("name");
    const auto numbers = group.at("numbers").get<int64_t>();
    if (name == "delta") {
      trained_delta = numbers;
      continue;
    }
    if (name != "head") others += numbers;
    rest.push_back({name, name == "head" ? "of the task" : "whole", numbers});
  }
  std::vector<TrainedLine> lines = delta_lines(run.at("model"));
  for (const TrainedLine& line : lines) asked += line.numbers;
  if (trained_delta + others < asked) lines.clear();  // the deltas are there and frozen
  // A delta may ask for parameters of the model itself: they have their lines already.
  const bool named = others == asked - trained_delta;
  for (const TrainedLine& line : rest)
    if (line.what == "head" || !named) lines.push_back(line);
  if (binding.value("frozen", json::object()).contains("head")) lines.push_back({"head", "of the task, frozen", 0});
  return lines;
}

FreeTable module_table(const json& rows) {
  FreeTable table;
  table.name = "modules";
  table.caption = "Where the methods act";
  table.columns = {"variant", "what", "modules", "parameters", "share (%)"};
  table.digits = {0, 0, 0, 0, 3};
  table.note =
      "Patterns of the delta methods and the modules that they match (* is a number), and the head. Share of all parameters, trained and "
      "frozen.";
  std::set<std::string> seen;
  for (const json& row : rows) {
    const std::vector<TrainedLine> lines = trained_lines(row.at("result"));
    if (lines.empty() || !seen.insert(key_of(lines)).second) continue;
    const json& binding = row.at("result").at("binding");
    int64_t total = sum_of_frozen(binding);
    for (const json& group : binding.at("groups")) total += group.at("numbers").get<int64_t>();
    for (const TrainedLine& line : lines) {
      const double share = 100.0 * static_cast<double>(line.numbers) / static_cast<double>(std::max<int64_t>(1, total));
      table.rows.push_back({words(row.at("variant")),
                            words(line.what),
                            words(line.modules),
                            {.kind = FreeTable::Entry::Kind::whole, .words = {}, .value = static_cast<double>(line.numbers)},
                            {.kind = FreeTable::Entry::Kind::number, .words = {}, .value = share}});
    }
  }
  return table;
}

}  // namespace tsrun
