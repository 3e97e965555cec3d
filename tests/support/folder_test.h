#pragma once

#include "support/temporary_folder.h"
#include "tsrun/base/error.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tsrun {

/// A test with an empty folder of its own.
class FolderTest : public ::testing::Test {
 protected:
  /// Files (not folders) below `folder`.
  static size_t files_below(const std::filesystem::path& folder) {
    size_t count = 0;
    if (std::filesystem::exists(folder))
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) count += entry.is_regular_file();
    return count;
  }

 private:
  testing::TemporaryFolder temporary_;

 protected:
  const std::filesystem::path folder_ = temporary_.path();
};

/// The error that `body` throws.
template <class Body>
Error error_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "expected an error";
  return Error(ErrorKind::internal, "");
}

}  // namespace tsrun
