#pragma once

#include "tsrun/base/options.h"
#include "tsrun/model/family.h"
#include "tsrun/tune/probe.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

/// Words of a training: how often the model reads each, which matrices hold their vectors, and which are near which.
namespace tsrun {

/// How often each id occurs in the rows of `probe`, in the decoder's too: int64 [vocabulary], on the host.
at::Tensor token_counts(Probe& probe, int64_t vocabulary);

/// Frequency bucket of each count: 0 for an unseen word, else 1 + ⌊log2 count⌋ (once; 2 and 3; 4 to 7; …). int64 [vocabulary]
at::Tensor doubling_buckets(const at::Tensor& counts);

/// The parameter whose rows are the words that the model reads.
std::string input_embeddings(const Family& family);
/// The parameter whose rows are the words that the head scores; the input's where they are tied. Empty for a head without words.
std::string output_embeddings(const Family& family);

/// Option `matrix`: which vectors of words are meant.
Option word_matrix_option();
/// The parameter that a value of it names: "input_embeddings", "output_embeddings", or "embeddings", the latter where the head scores words
/// and the former elsewhere. @throws Error(user) "`who`: …" for output embeddings of a head without words
std::string word_matrix(const Family& family, const std::string& choice, const std::string& who);

/// x / ‖x‖ for every row. A zero row stays zero and has no gradient.
at::Tensor unit_rows(const at::Tensor& rows);

struct NearestRows {
  at::Tensor ids;      ///< int64 [rows, k], the nearest first; among equals the lower id
  at::Tensor cosines;  ///< float32 [rows, k]
};
/// The `k` rows with the largest cosine to each row of `rows` [rows, width], itself left out: exact but for the rounding of unit rows to
/// float32, on the host (tsrun/linalg/nearest_units.h). Time grows with the square of the rows, memory only with the rows. @throws
/// Error(internal) unless 1 <= k < rows
NearestRows nearest_rows(const at::Tensor& rows, int64_t k);

}  // namespace tsrun
