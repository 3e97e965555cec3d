#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tsrun/base/error.h"

/// One input. Returns 0; anything that escapes, and any crash, is a bug.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace tsrun::testing {

inline std::string_view text_of(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

/// Runs `body`; a refusal (an Error of kind user, data or interrupt) is a right answer to bad input, every other exception is passed on.
template <class Body>
void refuse_or_take(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::user && error.kind() != ErrorKind::data && error.kind() != ErrorKind::interrupt) throw;
  }
}

}  // namespace tsrun::testing
