#pragma once

#include "tsrun/base/random.h"
#include "tsrun/data/task.h"
#include "tsrun/text/tokenizer.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tsrun {

/// Kind of model the rows are encoded for; decides layout and targets.
enum class ModelKind {
  encoder,         ///< bidirectional attention: classification, tagging, masked words
  causal,          ///< causal attention: continues a text
  encoder_decoder  ///< maps one text to another
};

/// Cutting of documents into rows of a language model.
enum class Blocks {
  separate,  ///< each document by itself; its last block is shorter
  joined     ///< concatenated documents; all blocks but the last are full
};

struct EncodeOptions {
  int64_t max_length = 128;  ///< tokens of a row, special ones included; of a block in language modelling
  ModelKind model_kind = ModelKind::encoder;
  int64_t decoder_start = 0;       ///< first id of an encoder-decoder's decoder (decoder_start_token_id)
  int64_t max_answer_length = 64;  ///< tokens of an answer, the end token included
  Blocks blocks = Blocks::separate;
  bool continued = false;    ///< language_modelling of a causal model: tell which rows continue the row before (`EncodedSplit::continues`)
  bool all_answers = false;  ///< text_to_text: a row for each accepted answer, not the first only
  int64_t vocabulary = 0;    ///< vocab_size; rows with larger ids are an error; 0: not checked
};

/// @throws Error(data) naming `where`, the token, its id and `vocabulary` for an id beyond the model's vocab_size
void require_known_ids(const Tokenizer& tokenizer, std::span<const int64_t> ids, int64_t vocabulary, const std::string& where);

/// Target of a token without one.
inline constexpr int64_t no_target = -100;

/// Rows of a split as ids, ready to be packed. Built once per (task, split, tokenizer, options).
struct EncodedSplit {
  std::vector<Encoding> rows;                      ///< input of the encoder, or of the only stack
  std::vector<double> targets;                     ///< one a row: class, value or right option; 0 where tokens have targets
  std::vector<std::vector<int64_t>> decoder_rows;  ///< input of an encoder-decoder's decoder; else empty
  std::vector<std::vector<int64_t>>
      token_targets;              ///< one a token of the row (of the decoder's row): next id, or tag; empty: rows have targets
  std::vector<int64_t> prompts;   ///< text_to_text and multiple_choice: length of the row's prompt; else empty
  std::vector<int64_t> bytes;     ///< language_modelling: bytes of text of the row's targets; else empty
  std::vector<int64_t> examples;  ///< example of each row
  std::vector<bool> continues;    ///< whether a row goes on where the row before it ends; empty unless asked for (`EncodeOptions`)
  /// First row of each example, and the end, where rows of one example are alternatives (accepted answers); else empty.
  std::vector<int64_t> alternatives;
  int64_t size() const { return static_cast<int64_t>(rows.size()); }
  /// Rows of an epoch: all, or one for each example where rows are alternatives.
  int64_t epoch_size() const { return alternatives.empty() ? size() : static_cast<int64_t>(alternatives.size()) - 1; }
  /// Row number `place` (below `epoch_size()`) of an epoch; alternatives are drawn uniformly under `key`.
  int64_t row_at(int64_t place, Key key) const;
};

/// | kind | reader | a row |
/// | classification, regression | encoder, causal | the texts; target of the row |
/// | token_classification | encoder, causal | the words; a word's first token has its tag, the others have none |
/// | text_to_text | encoder_decoder | prompt; decoder_start and the first (or each) answer; targets: answer and end token |
/// | text_to_text | causal | prompt, answer, end token; targets: answer and end token |
/// | multiple_choice | as text_to_text | with the right option as the answer |
/// | language_modelling | causal | a block; every token's target is the next one, across blocks too |
/// | language_modelling | encoder | a block with its special tokens; the trainer masks tokens anew every epoch |
/// Long prompts are cut at their end for an encoder-decoder, and at their beginning, behind a begin token, for a causal model.
/// @throws Error(user) when the kind of model cannot take the task, naming a kind that can; Error(data) as `require_known_ids`
EncodedSplit encode_split(const Task& task, const Split& split, const Tokenizer& tokenizer, const EncodeOptions& options);

/// One row for every example and each of its options (multiple_choice) or of the task's labels (a text_to_text task that was a
/// classification), encoded as the answer's row in `encode_split`; `targets` is the option's index, `examples` its example.
EncodedSplit encode_options(const Task& task, const Split& split, const Tokenizer& tokenizer, const EncodeOptions& options);

/// Sequences end to end without padding. Row r occupies tokens [offsets[r], offsets[r+1]).
struct PackedRows {
  std::vector<int64_t> ids, segments, positions;      ///< one entry a token; positions restart at 0 in every row
  std::vector<int64_t> offsets;                       ///< rows + 1 entries, offsets[0] = 0
  std::vector<int64_t> decoder_ids, decoder_offsets;  ///< of the decoder's rows; empty without a decoder
  std::vector<double> targets;                        ///< one entry a row
  std::vector<int64_t> token_targets;                 ///< one a token (of the decoder's, where there is one); empty: rows have targets
  std::vector<int64_t> row_numbers;                   ///< 0-based rows of the split
  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
};
PackedRows pack_batch(const EncodedSplit& split, std::span<const int64_t> rows);

/// Order of rows by epoch: a permutation keyed by (key, epoch), cut into batches; the last batch may be smaller. One thread only.
class Sampler {
 public:
  Sampler(Key key, int64_t rows, int64_t batch_size);
  int64_t batches_per_epoch() const;
  /// Row numbers of batch `index` of `epoch` (both from 0). Stateless apart from a cached permutation.
  std::span<const int64_t> batch(int64_t epoch, int64_t index);

 private:
  Key key_;
  int64_t rows_, batch_size_, epoch_ = -1;
  std::vector<int64_t> order_;
};

}  // namespace tsrun
