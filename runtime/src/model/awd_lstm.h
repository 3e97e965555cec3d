#pragma once

#include "tsrun/model/family.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

namespace tsrun::model {

/// AWD-LSTM (Merity, Keskar & Socher 2018, arXiv:1708.02182): a language model of LSTM layers that is regularised by dropout alone. With
/// m a mask that is drawn once a pass and has mean one, layer l computes
///     h_t, c_t = LSTM(m_l ⊙ x_t, h_{t-1}, c_{t-1}; W_ih, M_l ⊙ W_hh)
/// where m_l is of [rows, width], the same in every time step (locked, or variational, dropout: Gal & Ghahramani 2016), and M_l of W_hh's
/// shape (DropConnect). Word embeddings lose whole words, the same in all rows. Scores are W_words (m ⊙ h_t) + b, W_words being the word
/// embeddings where they are tied; then the last layer is as wide as they are.
///
/// State: h and c of every layer, layer by layer.
struct AwdLstmConfig {
  int64_t vocabulary = 0, embedding = 0, hidden = 0, layers = 0;
  bool tied = true, output_bias = true;
  double embedding_dropout = 0, input_dropout = 0, hidden_dropout = 0, output_dropout = 0, weight_dropout = 0;
  double initializer_range = 0.1;  ///< embeddings and word scores are drawn from U(-range, range)

  int64_t inputs(int64_t layer) const { return layer == 0 ? embedding : hidden; }
  int64_t width(int64_t layer) const { return layer + 1 == layers && tied ? embedding : hidden; }
  int64_t last_width() const { return width(layers - 1); }
};

/// `layer`'s names begin with it: "rnns.0.".
std::string awd_lstm_prefix(int64_t layer);
std::vector<ParameterInfo> awd_lstm_parameters(const AwdLstmConfig& config, const HeadSpec& head);
/// The embeddings, and the output of each layer.
std::vector<Site> awd_lstm_sites(const AwdLstmConfig& config);
/// Name of the matrix that scores words.
std::string awd_lstm_words(const AwdLstmConfig& config);

std::unique_ptr<Family> make_awd_lstm_family(const AwdLstmConfig& config, const nlohmann::json& json, const HeadSpec& head);

}  // namespace tsrun::model
