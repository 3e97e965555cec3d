#pragma once

#include "tsrun/base/error.h"

#include <gtest/gtest.h>

#include <string>

namespace tsrun {

/// The message of the Error(`kind`) that `action` throws.
template <class Action>
std::string failure(Action action, ErrorKind kind = ErrorKind::data) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "no error";
}

}  // namespace tsrun
