#include "text/sentencepiece_file.h"

#include "text/vocabulary.h"
#include "tsrun/base/error.h"
#include "tsrun/text/utf8.h"

#include <bit>
#include <functional>

namespace tsrun::text {
namespace {

enum class Wire : uint64_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

/// One field of a message.
struct Field {
  uint64_t number = 0;
  Wire wire = Wire::varint;
  uint64_t value = 0;      ///< of a number, as bits
  std::string_view bytes;  ///< of a text or a message
};

/// Walks over the fields of messages that lie in one file.
class MessageReader {
 public:
  MessageReader(std::string_view file, const std::string& name) : file_(file), name_(name) {}

  void each_field(std::string_view message, const std::function<void(const Field&)>& visit) {
    while (!message.empty()) visit(next_field(message));
  }

  [[noreturn]] void fail(std::string_view rest, const std::string& found) const {
    data_error("{}: byte {}: {}, expected a SentencePiece model", name_, rest.data() - file_.data(), found);
  }

  uint64_t number(const Field& field, Wire wire) const {
    if (field.wire != wire) fail(at_, fmt::format("field {} has wire type {}", field.number, static_cast<uint64_t>(field.wire)));
    return field.value;
  }
  bool flag(const Field& field) const { return number(field, Wire::varint) != 0; }

  std::string_view message(const Field& field) const {
    if (field.wire != Wire::bytes) fail(at_, fmt::format("field {} has wire type {}", field.number, static_cast<uint64_t>(field.wire)));
    return field.bytes;
  }

 private:
  Field next_field(std::string_view& rest) {
    at_ = rest;
    const uint64_t tag = varint(rest);
    Field field{tag >> 3, static_cast<Wire>(tag & 7), 0, {}};
    if (field.number == 0) fail(at_, "found field 0");
    switch (field.wire) {
      case Wire::varint:
        field.value = varint(rest);
        break;
      case Wire::fixed64:
        field.value = fixed(rest, 8);
        break;
      case Wire::fixed32:
        field.value = fixed(rest, 4);
        break;
      case Wire::bytes: {
        const uint64_t size = varint(rest);
        if (size > rest.size()) fail(at_, fmt::format("field {} has {} bytes where {} are left", field.number, size, rest.size()));
        field.bytes = rest.substr(0, size);
        rest.remove_prefix(size);
        break;
      }
      default:
        fail(at_, fmt::format("found wire type {}", tag & 7));
    }
    return field;
  }

  uint64_t varint(std::string_view& rest) const {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest.empty()) fail(rest, "the file ends within a number");
      const auto byte = static_cast<unsigned char>(rest.front());
      rest.remove_prefix(1);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    fail(rest, "found a number of more than 64 bits");
  }

  uint64_t fixed(std::string_view& rest, size_t size) const {
    if (rest.size() < size) fail(rest, "the file ends within a number");
    uint64_t value = 0;
    for (size_t at = size; at-- > 0;) value = value << 8 | static_cast<unsigned char>(rest[at]);
    rest.remove_prefix(size);
    return value;
  }

  std::string_view file_, at_;
  const std::string& name_;
};

void read_piece(MessageReader& reader, std::string_view message, SentencePieceFile& file) {
  SentencePieceFile::Piece piece;
  reader.each_field(message, [&](const Field& field) {
    if (field.number == 1) piece.text = reader.message(field);
    if (field.number == 2) piece.score = std::bit_cast<float>(static_cast<uint32_t>(reader.number(field, Wire::fixed32)));
    if (field.number == 3) piece.kind = static_cast<SentencePieceFile::Kind>(reader.number(field, Wire::varint));
  });
  if (piece.text.empty()) reader.fail(message, "a piece is empty");
  if (find_invalid_utf8(piece.text)) reader.fail(message, "a piece is not UTF-8");
  if (piece.kind < SentencePieceFile::Kind::normal || piece.kind > SentencePieceFile::Kind::byte)
    reader.fail(message, fmt::format("piece '{}' is of kind {}", piece.text, static_cast<int64_t>(piece.kind)));
  if (static_cast<int64_t>(file.pieces.size()) >= kMostTokenIds)
    reader.fail(message, fmt::format("found more than {} pieces", kMostTokenIds));
  file.pieces.push_back(std::move(piece));
}

void read_trainer(MessageReader& reader, std::string_view message, SentencePieceFile& file) {
  reader.each_field(message, [&](const Field& field) {
    if (field.number == 3) file.model = static_cast<SentencePieceFile::Model>(reader.number(field, Wire::varint));
    if (field.number == 24) file.suffix_space = reader.flag(field);
    if (field.number == 35) file.byte_fallback = reader.flag(field);
  });
}

void read_normalizer_spec(MessageReader& reader, std::string_view message, SentencePieceFile& file) {
  reader.each_field(message, [&](const Field& field) {
    if (field.number == 2) file.charsmap = reader.message(field);
    if (field.number == 3) file.prefix_space = reader.flag(field);
    if (field.number == 4) file.single_spaces = reader.flag(field);
    if (field.number == 5) file.escape_whitespace = reader.flag(field);
  });
}

void read_denormalizer(MessageReader& reader, std::string_view message, SentencePieceFile& file) {
  reader.each_field(message, [&](const Field& field) {
    if (field.number == 2) file.denormal_charsmap = reader.message(field);
  });
}

}  // namespace

SentencePieceFile parse_sentencepiece(std::string_view bytes, const std::string& name) {
  SentencePieceFile file;
  MessageReader reader(bytes, name);
  reader.each_field(bytes, [&](const Field& field) {
    if (field.number == 1) read_piece(reader, reader.message(field), file);
    if (field.number == 2) read_trainer(reader, reader.message(field), file);
    if (field.number == 3) read_normalizer_spec(reader, reader.message(field), file);
    if (field.number == 5) read_denormalizer(reader, reader.message(field), file);
  });
  if (file.pieces.empty()) data_error("{}: found no pieces, expected a SentencePiece model", name);
  return file;
}

}  // namespace tsrun::text
