#pragma once

#include "text/sentencepiece_file.h"

#include <nlohmann/json.hpp>

namespace tsrun::text {

/// Merges implied by a BPE model of SentencePiece, as an array of pairs: every split of a piece into two pieces, in the order of the whole
/// piece's id, the shortest first part first.
nlohmann::json sentencepiece_merges(const SentencePieceFile& file);

}  // namespace tsrun::text
