#include "experiment/geometry_rows.h"

#include "tsrun/base/error.h"
#include "tsrun/base/interrupt.h"
#include "tsrun/base/operators.h"
#include "tsrun/model/finite.h"
#include "tsrun/model/parts.h"
#include "tsrun/train/probe.h"
#include "tsrun/train/reading.h"

#include <algorithm>
#include <numeric>

namespace tsrun::experiment {
namespace {

using Of = GeometryRequest::Of;

constexpr int64_t batch_rows = 32;

const ParameterInfo& words_of(const Family& family) {
  const ParameterInfo* words = word_embeddings(family);
  if (words == nullptr) user_error("a model of type '{}' has no embedding with a row for every word", family.model_type());
  return *words;
}

/// The matrix behind the scores. A family without a head has one when its scores would be tied (`GeometryRequest::head`).
std::string scores_of(const Family& family) {
  if (family.head().kind == HeadKind::none) return words_of(family).name;
  if (family.label_matrix().empty())
    user_error("the {} head has no output embeddings; expected a model that scores words or classes", name_of(family.head().kind));
  return family.label_matrix();
}

bool is_word_head(const HeadSpec& head) {
  return head.kind == HeadKind::masked_lm || head.kind == HeadKind::causal_lm || head.kind == HeadKind::seq2seq_lm;
}

MeasuredRows embeddings(const Model& model, const GeometryRequest& request) {
  const Family& family = *model.family;
  const std::string words = words_of(family).name;
  MeasuredRows found;
  found.parameter = request.of == Of::input_embeddings ? words : scores_of(family);
  if (std::find(model.initialised.begin(), model.initialised.end(), found.parameter) != model.initialised.end())
    user_error("the checkpoint lacks '{}', so that it has no output embeddings", found.parameter);
  found.tied = found.parameter == words && ties_words(family);
  found.rows = model.weights.at(found.parameter).detach().to(at::kCPU);
  if (found.parameter != words && !is_word_head(family.head())) return found;
  found.ids.resize(static_cast<size_t>(found.rows.size(0)));
  std::iota(found.ids.begin(), found.ids.end(), 0);
  return found;
}

/// Words of a row's tokens, behind as many vectors of a prompt as there are more tokens.
void add_ids(const std::vector<int64_t>& words, int64_t tokens, std::vector<int64_t>& ids) {
  ids.insert(ids.end(), static_cast<size_t>(tokens) - words.size(), -1);
  ids.insert(ids.end(), words.begin(), words.end());
}

EncodedSplit encoded_rows(const Model& model, const Task& task, const GeometryRequest& request) {
  EncodedSplit all = encode_split(task, task.split(request.split), *model.tokenizer, encode_options_for(*model.family, request.reading));
  if (all.size() == 0) user_error("task '{}': the split '{}' gives no rows", task.name, request.split);
  return all;
}

MeasuredRows hidden_states(const Model& model, const Task& task, const GeometryRequest& request, at::Device device) {
  const EncodedSplit split = encoded_rows(model, task, request);
  std::vector<int64_t> rows(static_cast<size_t>(split.size()));
  std::iota(rows.begin(), rows.end(), 0);
  if (request.rows > 0) rows = thinned(rows, request.rows);
  MeasuredRows found;
  found.layer = request.layer.value_or(model.family->layers());
  const bool in_decoder = !split.decoder_rows.empty() && *found.layer > encoder_layers(*model.family);
  Weights weights;
  for (const std::string& name : model.weights.names()) weights.set(name, model.weights.at(name).to(device));
  const auto probe = make_probe(*model.family, split, device);
  std::vector<at::Tensor> states;
  for (size_t begin = 0; begin < rows.size(); begin += batch_rows) {
    check_interrupt();
    const std::span<const int64_t> batch(rows.data() + begin, std::min<size_t>(batch_rows, rows.size() - begin));
    const Probe::HiddenStates hidden = probe->hidden(weights, batch, *found.layer);
    states.push_back(hidden.states.to(at::kCPU));
    for (size_t i = 0; i < batch.size(); ++i) {
      const auto row = static_cast<size_t>(batch[i]);
      add_ids(in_decoder ? split.decoder_rows[row] : split.rows[row].ids, hidden.offsets[i + 1] - hidden.offsets[i], found.ids);
    }
  }
  found.rows = at::cat(states).to(at::kFloat);
  return found;
}

}  // namespace

MeasuredRows measured_rows(const Model& model, const Task* task, const GeometryRequest& request, at::Device device) {
  MeasuredRows found = request.of == Of::hidden ? hidden_states(model, *task, request, device) : embeddings(model, request);
  if (!all_finite(found.rows)) run_error("{}: not all numbers are finite", request.title());
  if (found.rows.size(0) < 2) user_error("{}: {} vector, expected at least 2", request.title(), found.rows.size(0));
  return found;
}

}  // namespace tsrun::experiment
