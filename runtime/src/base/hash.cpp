#include "tsrun/base/hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

#include "tsrun/base/error.h"
#include "tsrun/base/files.h"

namespace tsrun {

struct Sha256::State {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) != 1) internal_error("OpenSSL offers no SHA-256");
}
Sha256::~Sha256() = default;

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  if (!state_->context) internal_error("SHA-256: update after the digest was read");
  if (EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) != 1) internal_error("SHA-256: OpenSSL refuses the bytes");
  return *this;
}
Sha256& Sha256::update(std::string_view text) { return update(std::as_bytes(std::span(text.data(), text.size()))); }

std::string Sha256::hex() {
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  if (!state_->context) internal_error("SHA-256: the digest is read twice");
  if (EVP_DigestFinal_ex(state_->context.get(), digest.data(), &size) != 1 || size != digest.size())
    internal_error("SHA-256: OpenSSL gives no digest");
  state_->context.reset();
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

std::string sha256(std::string_view text) { return Sha256().update(text).hex(); }
std::string sha256_file(const std::filesystem::path& path) { return Sha256().update(MappedFile::open(path).bytes()).hex(); }

}  // namespace tsrun
