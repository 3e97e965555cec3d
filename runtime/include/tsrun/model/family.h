#pragma once

#include "tsrun/base/random.h"
#include "tsrun/data/batch.h"
#include "tsrun/model/decoding.h"
#include "tsrun/model/kernels.h"
#include "tsrun/model/weights.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A model is a pure function of named weights and a packed batch. The family owns no tensors. Methods change weights by overrides in the
/// map, connected to autograd.
namespace tsrun {

/// A batch on the device. Row r is tokens [offsets[r], offsets[r+1]); no padding anywhere.
struct PackedBatch {
  at::Tensor ids, segments, positions;  ///< int64 [tokens]
  at::Tensor offsets;                   ///< int64 [rows + 1], on the device
  std::vector<int64_t> host_offsets;    ///< the same on the host
  at::Tensor decoder_ids;               ///< input of an encoder-decoder's decoder, int64 [decoder tokens]
  std::vector<int64_t> decoder_host_offsets;
  /// classification int64 [rows], regression float32 [rows]; heads over tokens int64 [tokens] (seq2seq_lm: [decoder tokens]): masked
  /// token, next token, tag, or whether the token was replaced (0, 1); -100: no loss
  at::Tensor targets;
  std::vector<int64_t> row_numbers;
  int64_t rows() const { return static_cast<int64_t>(host_offsets.size()) - 1; }
};

enum class HeadKind {
  none,
  classification,
  regression,
  token_classification,  ///< classes of every token
  masked_lm,
  causal_lm,       ///< logits of the next token
  seq2seq_lm,      ///< logits of the decoder's next token
  replaced_token,  ///< one logit a token: was it replaced? (ELECTRA's discriminator)
};
std::string_view name_of(HeadKind kind);
struct HeadSpec {
  HeadKind kind = HeadKind::none;
  int64_t outputs = 0;  ///< classes; 1 for regression; 0 for the others
};

/// Part of a model that a parameter belongs to; the unit of "frozen or trained". The layers of a model with one stack are its encoder,
/// causal ones too; only an encoder-decoder has a decoder. The tensors of delta methods are a part of their own.
enum class Part { embeddings, encoder, decoder, pooler, head, delta };
std::string_view name_of(Part part);

enum class ParameterKind { weight, bias, norm_weight, norm_bias, embedding };

struct ParameterInfo {
  std::string name;
  std::vector<int64_t> shape;
  Part part = Part::encoder;
  int layer = -1;  ///< 0-based; -1 outside the layers; a decoder's layers follow the encoder's
  ParameterKind kind = ParameterKind::weight;
  std::string module;       ///< module inside its layer: "attention.self.query", "output.LayerNorm"; tables group outliers by it
  bool transposed = false;  ///< of a linear layer: the weight is [inputs, outputs] (GPT-2's Conv1D)
};

/// Named points of the forward pass where a method may act on activations. The same names in every family.
enum class SiteKind {
  embeddings,  ///< output of the embedding block
  query,
  key,
  value,             ///< outputs of the projections
  attention_output,  ///< output of the attention's output projection, before residual and norm
  feed_forward_in,   ///< output of the activation, i.e. input of the second projection
  feed_forward_out,  ///< output of the second projection, before residual and norm
  attention_norm,
  output_norm,       ///< outputs of a layer's two norms: behind its blocks in an encoder, before them in a decoder
  final_norm,        ///< output of the norm behind the last layer of a stack, where there is one
  recurrent_output,  ///< output of a recurrent layer, before dropout
  cross_query,
  cross_key,
  cross_value,
  cross_attention_output,
  cross_attention_norm  ///< the same of a decoder's attention to the encoder's output
};
std::string_view name_of(SiteKind kind);
struct Site {
  SiteKind kind;
  int layer = -1;
  int64_t width = 0;           ///< features of the activation
  std::string module;          ///< module that computes it (its weight is `module`.weight); empty: none
  Part stack = Part::encoder;  ///< stack of an encoder-decoder
};

/// One call of a linear layer or an embedding table.
struct LinearCall {
  const std::string& module;  ///< its weight is `module`.weight, but that of a tied "lm_head" is the word embeddings'
  const at::Tensor& input;    ///< [tokens, inputs]; of an embedding table the token ids
  const at::Tensor& output;   ///< [tokens, outputs] of the module alone, before any hook
};
/// Hooks receive the output of the hook before them (the first: the module's, or the site's activation) and return the output to use.
using LinearHook = std::function<at::Tensor(const LinearCall& call, const at::Tensor& output)>;
using SiteHook = std::function<at::Tensor(const Site& site, const at::Tensor& activation)>;
/// Keys and values in front of each row's own in a layer's self-attention, [prefix, key heads * head size] each.
using KeyValuePrefix = std::optional<std::pair<at::Tensor, at::Tensor>>;
using PrefixHook = std::function<KeyValuePrefix(int layer)>;

/// Options of a forward pass. Default: evaluation without records and hooks. Hooks of each list are called in order; append yours.
struct ForwardOptions {
  bool training = false;                             ///< dropout on
  Key dropout = Key::root(0);                        ///< one key per step; each dropout site splits its own
  std::vector<at::Tensor>* hidden_states = nullptr;  ///< receives embeddings output and every layer's output, [tokens, hidden]
  /// Start at this layer with these hidden states [tokens, hidden], such as cached outputs of frozen layers. Undefined: start at the
  /// embeddings.
  int from_layer = 0;
  at::Tensor from_hidden = {};
  /// Stop below this layer (of an encoder-decoder: below a layer of the encoder, or behind the last): the output is its input, as
  /// `from_hidden` takes it, and no logits. -1: to the end.
  int to_layer = -1;
  /// The encoder's output [tokens, hidden] of an encoder-decoder, which is then not computed. Needed to start inside the decoder.
  at::Tensor encoded = {};
  /// State that the rows of a family with `state_widths` go on from, one tensor [rows, width] each: `Output::state` of the blocks in front
  /// of them. Constant. Empty: the rows begin a text. Not beside a cache, which keeps its own.
  std::vector<at::Tensor> state = {};
  DecodingCache* cache = nullptr;            ///< the batch continues the cached tokens; logits are the last token's of every row
  Precision precision = Precision::float32;  ///< of the products with weights
  bool gradient_checkpointing = false;       ///< backward recomputes each layer instead of keeping its intermediates
  std::vector<LinearHook> at_linear;         ///< called for every linear layer and every embedding table
  std::vector<SiteHook> at_site;             ///< called for every site with its activation [tokens, width]
  /// Vectors in front of the word embeddings of every row, [count, embedding width]: the row is so many tokens longer (of an
  /// encoder-decoder, the encoder's row), and a head that reads a row's first token reads the first of these. Undefined: none.
  at::Tensor prompt = {};
  /// Position of a row's first token; a prefix may count as tokens in front of the row. Ignored where positions are relative.
  int64_t first_position = 0;
  std::vector<PrefixHook> attention_prefix;  ///< asked once per layer; a later hook's prefix stands in front of an earlier one's
};

struct Output {
  /// [rows, outputs]; language models: [tokens with a target (all, when there are no targets), vocabulary]; token classification [tokens,
  /// outputs]; replaced tokens: [tokens, 1]; with a cache: [rows, vocabulary]
  at::Tensor logits;
  /// Last hidden state [tokens, hidden]. Undefined without hidden_states and at_site hooks when the head reads only some tokens: the last
  /// layer then computes no others. Dropout is the same either way.
  at::Tensor hidden;
  /// Tokens of `hidden` that the logits belong to, ascending; absent: all.
  std::optional<std::vector<int64_t>> tokens;
  /// State behind the last token of every row, as `ForwardOptions::state` takes it, detached. Empty where the family keeps none, with a
  /// cache, and where some layers did not run.
  std::vector<at::Tensor> state;
};

/// A model without its weights. Immutable: threads may share it.
class Family {
 public:
  virtual ~Family() = default;
  virtual std::string_view model_type() const = 0;  ///< as in config.json
  virtual const nlohmann::json& config() const = 0;
  virtual int layers() const = 0;
  virtual int64_t hidden_size() const = 0;  ///< width of the last hidden state; those of other layers may have others
  virtual const HeadSpec& head() const = 0;
  virtual int64_t max_positions() const = 0;           ///< longest row; very large where positions are relative
  virtual ModelKind model_kind() const = 0;            ///< kind of model that rows are encoded for
  virtual int64_t decoder_start() const { return 0; }  ///< first id of an encoder-decoder's decoder
  /// Widths of the tensors that a recurrent model hands on from block to block of a text; empty: a block is all that the model sees.
  virtual std::vector<int64_t> state_widths() const { return {}; }
  bool carries_state() const { return !state_widths().empty(); }
  /// All parameters, in one fixed order: embeddings, layer 0 (Hugging Face module order), layer 1, …, pooler, head.
  virtual const std::vector<ParameterInfo>& parameters() const = 0;
  virtual const std::vector<Site>& sites() const = 0;
  virtual Output forward(const Weights& weights, const PackedBatch& batch, const ForwardOptions& options) const = 0;
  /// Initial values of `parameter` under `key`, as the reference implementation draws them: N(0, initializer_range), zeros, ones for gains.
  virtual at::Tensor initial(const ParameterInfo& parameter, Key key) const = 0;
  /// Parameter whose rows, [labels, width], are the labels of the head's last linear layer: words or classes. Empty where there are none.
  virtual std::string label_matrix() const { return {}; }
  /// `states` [tokens, hidden], an output of any layer, as the label matrix would multiply them, [tokens, width], in evaluation: behind the
  /// final norm (unless they are `normed` already, as a recorded last layer is), a pooler, or a transform of the head.
  virtual at::Tensor read_out(const Weights& /*weights*/, const at::Tensor& states, bool /*normed*/) const { return states; }
  /// The same model with a vocabulary of the ids `kept` (ascending), renumbered from 0; null where the family needs the whole vocabulary.
  virtual std::unique_ptr<Family> with_vocabulary(const std::vector<int64_t>& kept) const { return nullptr; }
};

/// The family for a config.json. @throws Error(data) naming `where`, the unknown `model_type` and the known ones, or the field that is
/// missing, ill-typed or out of range.
std::unique_ptr<Family> make_family(const nlohmann::json& config, const HeadSpec& head, const std::string& where);

/// Mean loss over rows, or over tokens with a target: cross-entropy, binary for replaced tokens; squared error for regression. Scalar.
at::Tensor task_loss(const HeadSpec& head, const Output& output, const PackedBatch& batch);

}  // namespace tsrun
