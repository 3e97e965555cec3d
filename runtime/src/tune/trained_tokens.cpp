#include "tsrun/base/error.h"
#include "tsrun/base/operators.h"
#include "tsrun/base/suggest.h"
#include "tsrun/tune/extra_deltas.h"

#include <algorithm>
#include <set>

namespace tsrun {
namespace {

using nlohmann::json;

struct Tokens {
  std::string module, weight;
  std::vector<int64_t> rows;
  int64_t width = 0;
  std::string tensor() const { return module + ".token_adapter.trainable_tokens_delta"; }
};

class TrainedTokens : public Delta {
 public:
  explicit TrainedTokens(std::vector<Tokens> tables) : tables_(std::move(tables)) {}

  std::vector<DeltaTensor> tensors() const override {
    std::vector<DeltaTensor> tensors;
    for (const Tokens& table : tables_) tensors.push_back({table.tensor(), {static_cast<int64_t>(table.rows.size()), table.width}});
    return tensors;
  }
  std::vector<DeltaMatch> matches() const override {
    std::vector<DeltaMatch> matches;
    for (const Tokens& table : tables_)
      matches.push_back({"trainable_token_indices", table.module, static_cast<int64_t>(table.rows.size()) * table.width});
    return matches;
  }
  at::Tensor initial(const DeltaTensor& tensor, const Weights& origin, Key) const override {
    for (const Tokens& table : tables_)
      if (table.tensor() == tensor.name)
        return origin.at(table.weight).detach().index_select(0, at::tensor(table.rows, at::kLong)).contiguous();
    return {};
  }
  void override_weights(const Weights& weights, Weights& seen) const override {
    for (const Tokens& table : tables_) seen.set(table.weight, replaced(table, seen.at(table.weight), weights));
  }
  std::vector<ModuleChange> changes() const override {
    std::vector<ModuleChange> changes;
    for (const Tokens& table : tables_) changes.push_back({table.module, ModuleChange::Place::weight, ModuleChange::How::of_weight});
    return changes;
  }
  std::optional<Weights> merge(const Weights& weights) const override {
    Weights merged = weights;
    for (const Tokens& table : tables_) merged.set(table.weight, replaced(table, merged.at(table.weight), weights).contiguous());
    return merged;
  }
  std::string why_not_merged() const override { return {}; }

 private:
  static at::Tensor replaced(const Tokens& table, const at::Tensor& whole, const Weights& weights) {
    const at::Tensor rows = at::tensor(table.rows, at::kLong).to(whole.device());
    return whole.index_copy(0, rows, weights.at(table.tensor()).to(whole.scalar_type()));
  }

  std::vector<Tokens> tables_;
};

/// Tables of embeddings, and an lm_head, whose rows are tokens too. The two of an encoder-decoder are one by the name of its weight.
std::vector<LinearModule> token_tables(const Family& family) {
  std::vector<LinearModule> tables = embedding_modules(family);
  if (family.model_kind() == ModelKind::encoder_decoder) {
    tables.resize(1);
    tables.front().name = tables.front().weight.substr(0, tables.front().weight.rfind('.'));
  }
  for (LinearModule& module : linear_modules(family))
    if (module.name == "lm_head") tables.push_back(std::move(module));
  return tables;
}

std::vector<int64_t> token_ids(const json& ids, int64_t rows, const std::string& where) {
  std::vector<int64_t> found;
  for (const json& id : ids.is_array() ? ids : json::array({ids})) {
    const bool whole = id.is_number_integer() || (id.is_number_float() && id.get<double>() == static_cast<double>(id.get<int64_t>()));
    if (!whole || id.get<int64_t>() < 0 || id.get<int64_t>() >= rows)
      user_error("{}: found {}, expected token ids from 0 to {}", where, id.dump(), rows - 1);
    found.push_back(id.get<int64_t>());
  }
  if (std::set<int64_t>(found.begin(), found.end()).size() != found.size()) user_error("{}: a token id stands there twice", where);
  if (found.empty()) user_error("{}: found no token ids", where);
  return found;
}

int64_t rows_of(const LinearModule& table) { return table.embedding ? table.inputs : table.outputs; }

class TokenFinder {
 public:
  TokenFinder(const Family& family, const std::string& where) : tables_(token_tables(family)), where_(where) {}

  void add(const std::string& name, const json& ids) {
    bool any = false;
    for (const LinearModule& table : tables_) {
      if (!table.name.ends_with(name)) continue;
      any = true;
      add_table(table, token_ids(ids, rows_of(table), where_));
    }
    if (any) return;
    std::vector<std::string> names;
    for (const LinearModule& table : tables_) names.push_back(table.name);
    user_error("{}: '{}' ends the name of no table of tokens{}; there are {}", where_, name, did_you_mean(name, names), join_words(names));
  }
  void add_words(const json& ids) { add(tables_.front().name, ids); }
  std::vector<Tokens> take() { return std::move(found_); }

 private:
  /// Modules that share a weight share its rows.
  void add_table(const LinearModule& table, std::vector<int64_t> rows) {
    for (const Tokens& other : found_) {
      if (other.weight != table.weight) continue;
      if (other.rows != rows)
        user_error("{}: {} and {} have one weight, and other token ids; expected the same", where_, other.module, table.name);
      return;
    }
    found_.push_back({table.name, table.weight, std::move(rows), table.embedding ? table.outputs : table.inputs});
  }

  std::vector<LinearModule> tables_;
  const std::string& where_;
  std::vector<Tokens> found_;
};

}  // namespace

std::unique_ptr<Delta> trained_tokens(const Family& family, const json& indices, const std::string& where) {
  if (indices.is_null() || (indices.is_structured() && indices.empty())) return nullptr;
  TokenFinder finder(family, where);
  if (indices.is_object()) {
    for (const auto& [name, ids] : indices.items()) finder.add(name, ids);
  } else {
    finder.add_words(indices);
  }
  return std::make_unique<TrainedTokens>(finder.take());
}

}  // namespace tsrun
