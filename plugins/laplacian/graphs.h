#pragma once

#include "energy.h"
#include "tsrun/tune/probe.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// Graphs over words. Every word brings its `neighbours` strongest others, among equals those of the lowest ids; an edge stands where
/// either of two words brings it.
namespace tsrun::laplacian {

/// Nearest neighbours by cosine; `graded`: weighted with the cosine, negative ones left out; else with 1. Fewer than two rows: no edges.
Graph nearest_graph(const at::Tensor& rows, int64_t neighbours, bool graded);

/// How often two words stand within `window` tokens of each other in a text, over the training rows: {lower id, higher id}: count; of a
/// word with itself too.
using PairCounts = std::map<std::pair<int64_t, int64_t>, int64_t>;
PairCounts pair_counts(Probe& probe, int64_t window);

/// Edges between words that stand together. `pointwise`: by positive pointwise mutual information, log(c_ij C / (c_i c_j)), where c_i is
/// the sum of row i of the symmetric counts and C that of all; else by the counts. `graded`: with that weight, else with 1.
Graph together_graph(const PairCounts& counts, int64_t words, int64_t neighbours, bool pointwise, bool graded);

/// Words of one frequency bucket (`doubling_buckets`) are all joined.
Graph bucket_graph(const at::Tensor& counts);

/// The graph among the nodes `kept` (ascending) alone, renumbered.
Graph among(const Graph& graph, const at::Tensor& kept);

/// A matrix of a safetensors file: `tensor`, or its only one if that is empty. @throws Error(user) for another number of rows, or none or
/// several tensors without a name
at::Tensor vectors_of(const std::filesystem::path& file, const std::string& tensor, int64_t words);

}  // namespace tsrun::laplacian
