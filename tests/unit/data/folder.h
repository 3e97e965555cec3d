#pragma once

#include <unistd.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tsrun {

/// A task folder of the running test alone.
class TaskFolder : public ::testing::Test {
 protected:
  TaskFolder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("tsrun_" + std::string(test->test_suite_name()) + test->name() + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~TaskFolder() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name, std::ios::binary) << text; }
  std::string path(const std::string& name) { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

}  // namespace tsrun
