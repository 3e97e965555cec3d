#include "tsrun/experiment/results.h"

#include <algorithm>

namespace tsrun {
namespace {

ResultKind model_result() {
  return {.name = "model",
          .doc = "A pre-trained model, with deltas attached or not.",
          .fields = {
              {"spec", "as it was named"},
              {"path", "folder of its weights; none of a plan's"},
              {"content", "SHA-256 of its weights and config"},
              {"family", "model_type of config.json: bert, roberta, gpt2, llama, t5, …"},
              {"layers", "of encoder and decoder together"},
              {"hidden_size", "width of hidden states"},
              {"parameters", "numbers of its weights"},
              {"encoder_parameters", "of these, those of encoder and decoder"},
              {"vocabulary_size", "of ts.architecture"},
              {"defaults", "of trainings: lr, lr_head and epochs"},
              {"quality", "of a built-in model: held_out_loss, held_out_accuracy and losses of its pre-training"},
              {"deltas", "attached delta methods: method, version, options and what their values depend on"},
              {"matches", "modules that deltas are attached to: method, pattern, module and numbers"},
              {"delta_parameters", "numbers of the deltas"},
          }};
}

ResultKind task_result() {
  return {.name = "task",
          .doc = "A task.",
          .fields = {
              {"name", "as task.toml says"},
              {"spec", "as it was named"},
              {"as", "itself or text_to_text"},
              {"words", "control of language modelling: rule, seed and every_split"},
              {"kind", "classification, regression, multiple_choice, token_classification, text_to_text or language_modelling"},
              {"labels", "names of the classes"},
              {"metric", "the first metric, by which best is chosen"},
              {"metrics", "names of all metrics"},
              {"splits", "by name: rows, and majority_score, the first metric of the commonest answer"},
          }};
}

ResultKind tokenizer_result() {
  return {.name = "tokenizer",
          .doc = "A tokenizer, for ts.architecture.",
          .fields = {{"kind", "words or byte_bpe"},
                     {"vocabulary_size", "number of tokens"},
                     {"special", "ids of special tokens, by Hugging Face's names"}}};
}

/// Fields of everything that was scored.
std::vector<ResultField> scored(std::vector<ResultField> more) {
  std::vector<ResultField> fields = {
      {"best", "the evaluation with the highest score (the lowest, of perplexity and loss), with the fields of `last`"},
      {"last", "the evaluation at the end"},
      {"last.score", "first metric"},
      {"last.metrics", "every metric by its name"},
      {"last.loss", "mean over rows, of language modelling over tokens"},
      {"last.epoch", "passes over the training rows, also `last.step`"},
      {"last.top_answer_share", "share of rows that get the commonest answer; 1: every row gets the same"},
      {"metric", "name of the first metric"},
      {"trained", "whether these weights were trained in this stage"},
      {"trainable", "numbers that the optimiser holds"},
      {"degrees_of_freedom", "of these, those that no mask holds, and coordinates in the place of what they span"},
      {"bytes_shipped", "float32, of what must be stored beside the weights that the training began with"},
      {"model", "its model"},
      {"task", "its task"},
      {"seed", "its seed"},
      {"split", "split that was scored"},
      {"rests_on", "steps of the trainings behind it, and of rows whose gradients made a basis or a choice, by key"},
      {"steps_before", "their sum"},
  };
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

ResultKind train_result() {
  return {.name = "train",
          .doc = "A training, or what stands for one.",
          .fields = scored({
              {"evaluations", "list of all evaluations, with the training's mean loss and its passes so far"},
              {"trainable_share", "degrees of freedom over the model's numbers"},
              {"steps", "optimiser steps that were taken, also `steps_planned` and `steps_per_epoch`"},
              {"steps_planned", "steps that the schedule of learning rates was made for"},
              {"steps_per_epoch", "optimiser steps of a pass over the training rows"},
              {"tokens", "that forward passes read"},
              {"forward_passes", "of micro-batches, those of plugins too, without evaluations"},
              {"backward_passes", "as forward_passes"},
              {"forward_share", "work of the layers' forward passes, a step's mean: 1 where each layer runs once"},
              {"backward_share", "as forward_share, of backward passes"},
              {"gradient_bytes", "of gradient buffers; 0 of forward-only optimisers"},
              {"optimizer_bytes", "of moments and the like"},
              {"failed_steps", "of levenberg_marquardt: steps in which no damping lowered the loss"},
              {"out_of_reach", "numbers in rows of words that no text reaches"},
              {"binding", "what was trained: groups with numbers, lr and weight_decay; masks, frozen, subspace, scope"},
              {"plugins", "reports of selectors and regularisers, in their order"},
              {"reach", "of coordinates, by group: way, which they can travel, and distance of the trajectory's update"},
              {"reach_share", "least way over distance; 1: all get there"},
              {"coordinates", "last and best coordinates, where there are at most 1024"},
              {"measured", "step_seconds: mean time of a step"},
              {"geometry", "of geometry_every: list of measurements"},
              {"initialised", "parameters that the checkpoint lacks"},
              {"reinitialised", "parameters drawn anew by reinit_layers"},
              {"start", "fresh, reinit_layers and origin, where it began elsewhere than with its model's weights"},
              {"keep", "weights that were kept"},
              {"subspace", "basis it was trained within"},
              {"trajectory", "what `record` recorded"},
              {"search", "of lr_search: rates, picked (in words), steps, trainings, edges, diverged and note"},
              {"energy", "of ts.low_rank, best and last: shares of_maps and of_update that the factors keep"},
          })};
}

ResultKind evaluation_result() {
  return {.name = "evaluation",
          .doc = "Scores without training; best and last are the same.",
          .fields = scored({{"binding", "of a basis that the weights come from: subspace, with bytes and dims"},
                            {"interval", "low and high of the first metric, 95 %, where `bootstrap` asks for it"}})};
}

ResultKind trajectory_result() {
  return {.name = "trajectory",
          .doc = "Checkpoints of a training, or solutions of several tasks.",
          .fields = {{"points", "number of checkpoints behind the first weights"},
                     {"model", "their model"},
                     {"rests_on", "steps of the trainings behind it, by key"}}};
}

ResultKind subspace_result() {
  return {.name = "subspace",
          .doc = "A basis.",
          .open = true,
          .fields = {{"method", "name of its plugin; rounded of ts.quantize"},
                     {"dim", "dimensions in all; of a plan, as it was asked for"},
                     {"dims", "dimensions by group"},
                     {"bytes", "that the basis takes beside the model; 0 where a key makes it again"},
                     {"groups", "by group: name, dim, and what the plugin tells, such as singular_values"},
                     {"model", "its model"},
                     {"trajectory", "that it comes from"},
                     {"gradient_rows", "training rows that went forward and backward for it"},
                     {"rests_on", "steps of the trainings behind it, and of its own gradient_rows in default batches, by key"},
                     {"member", "name within a joint space"}}};
}

ResultKind mask_result() {
  return {
      .name = "mask",
      .doc = "Positions in groups of parameters.",
      .fields = {
          {"count", "positions in all"},
          {"share", "of outliers: of the weights that were looked at"},
          {"groups",
           "by group: name and count; of outliers, mean and deviation of the update, the `top` largest, and rank_correlation with the "
           "pre-trained weights' magnitudes"},
          {"by_kind", "weight, bias, norm_weight and norm_bias: count, share of the mask, and of_weights, the kind's share of all weights"},
          {"by_module", "the same by kind of module"},
          {"made_by", "outliers, or the control"},
          {"sigmas", "of outliers"},
          {"profile", "of outliers: update by group at some positions, for figures"},
          {"matched_count", "of a control: positions of the mask that it is like"},
          {"shared_with_matched", "of a control: positions in both"},
          {"solution", "training that it was found in"},
          {"parameters", "that were looked at"}}};
}

ResultKind scope_result() {
  return {.name = "scope",
          .doc = "What a selector chose.",
          .fields = {{"method", "name of its plugin"},
                     {"parameters", "numbers of the model"},
                     {"trained", "of these, those that may be trained"},
                     {"table", "by parameter or layer: what the selector chose by, and what it chose"},
                     {"gradient_rows", "training rows that went forward and backward for it"},
                     {"rests_on", "steps of the training that it judged, and of its own gradient_rows in default batches, by key"}}};
}

ResultKind joint_result() {
  return {.name = "joint",
          .doc = "One space that decodes into several parameter sets.",
          .fields = {{"method", "name of its plugin"},
                     {"dim", "numbers of a code"},
                     {"members", "by name: a basis each"},
                     {"tasks", "names of the tasks"},
                     {"codes", "by task and member: the coordinates of each solution"},
                     {"mean_code", "mean of all codes"},
                     {"description", "what the plugin tells of its training"}}};
}

ResultKind geometry_result() {
  return {.name = "geometry",
          .doc = "How vectors lie in space, as given; `centred` has the same of vectors minus their mean.",
          .fields = {{"of", "what was measured"},
                     {"parameter", "name of the embeddings"},
                     {"layer", "of hidden states"},
                     {"tied", "whether output embeddings are those of words"},
                     {"rows", "vectors, also `distinct_rows` and `zero_rows`"},
                     {"distinct_rows", "vectors that differ"},
                     {"zero_rows", "vectors of length 0"},
                     {"width", "their size"},
                     {"mean_norm", "mean length"},
                     {"mean_cosine", "of all pairs"},
                     {"i1", "min Z / max Z of the partition function over eigenvectors; 1 is isotropic"},
                     {"log_i1", "its logarithm, which stays finite"},
                     {"i2", "deviation of Z over its mean; 0 is isotropic"},
                     {"spectrum", "singular values over the largest"},
                     {"largest", "largest singular value"},
                     {"rank", "singular values that are not 0"},
                     {"effective_rank", "exp of the entropy of squared singular values"},
                     {"condition_number", "largest over smallest singular value"},
                     {"top_share", "share of the energy in the top_k largest"},
                     {"top_k", "how many these are"},
                     {"intrinsic_dimension", "by TwoNN"},
                     {"neighbour_rows", "vectors behind it"},
                     {"pair_rows", "vectors behind the histograms of cosines"},
                     {"cloud_rows", "vectors in the figure of the first two directions"},
                     {"buckets", "the same by frequency of words, with cosines, x and y for figures"},
                     {"centred", "mean_norm, mean_cosine, i1, …, of centred vectors"}}};
}

std::vector<ResultKind> all_kinds() {
  return {
      model_result(),
      task_result(),
      tokenizer_result(),
      train_result(),
      evaluation_result(),
      {.name = "generation",
       .doc = "Texts and their diversity.",
       .fields = {{"distinct_1", "different words over all words"},
                  {"distinct_2", "of pairs"},
                  {"distinct_3", "of triples"},
                  {"repetition", "share of texts in which a phrase comes back at once"},
                  {"mean_length", "in the unit that was counted"},
                  {"ended", "share of texts that ended by themselves"},
                  {"samples", "the first texts"}}},
      trajectory_result(),
      subspace_result(),
      mask_result(),
      scope_result(),
      joint_result(),
      {.name = "scan",
       .doc = "Scores of many points.",
       .fields = {{"metric", "name of the first metric"}, {"scores", "of the points, in their order"}}},
      geometry_result(),
      {.name = "crossing",
       .doc = "Where a curve reaches its target.",
       .fields = {{"at", "smallest place whose mean reaches it; absent: none does"},
                  {"low", "lower end of the 95 % interval; absent: no draw reaches it"},
                  {"high", "upper end; absent: open"},
                  {"share_reached", "of draws in which some place reaches the target"},
                  {"target", "score to reach"},
                  {"reference", "mean, deviation, low, high and scores of what the target is a share of"},
                  {"curve", "the same by place"},
                  {"violations", "larger places beneath the target"}}},
      {.name = "export",
       .doc = "A written folder.",
       .is_artifact = false,
       .fields = {{"path", "the folder"}, {"merge", "of a merged delta: distance, the largest change of a logit"}}},
      {.name = "zoo",
       .doc = "A written folder.",
       .is_artifact = false,
       .fields = {{"path", "the folder"},
                  {"bytes_basis", "of the basis, once"},
                  {"solutions", "by solution: name, bytes_coordinates, bytes_beside, and the parameters that lie beside"}}},
  };
}

}  // namespace

std::vector<std::string_view> ResultKind::names() const {
  std::vector<std::string_view> all;
  if (is_artifact) all = {"artifact", "key", "planned"};
  for (const ResultField& field : fields)
    if (field.name.find('.') == std::string_view::npos) all.push_back(field.name);
  return all;
}

const std::vector<ResultKind>& result_kinds() {
  static const std::vector<ResultKind> all = all_kinds();
  return all;
}

const ResultKind* find_result_kind(std::string_view name) {
  const auto& all = result_kinds();
  const auto at = std::ranges::find_if(all, [&](const ResultKind& kind) { return kind.name == name; });
  return at == all.end() ? nullptr : &*at;
}

}  // namespace tsrun
