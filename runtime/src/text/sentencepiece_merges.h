#pragma once

#include "text/sentencepiece_file.h"

#include <nlohmann/json.hpp>

namespace tsrun {

/// The merges that a BPE model of SentencePiece implies: every way to join two pieces into a third, in the order of the third's id, the
/// shortest first part first. As an array of pairs.
nlohmann::json sentencepiece_merges(const SentencePieceFile& file);

}  // namespace tsrun
