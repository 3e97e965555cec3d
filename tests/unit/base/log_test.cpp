#include "tsrun/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace tsrun {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Log : public ::testing::Test {
 protected:
  ~Log() override { set_verbosity(Verbosity::normal); }
  template <class Body>
  static std::string shown(const Body& body) {
    ::testing::internal::CaptureStderr();
    body();
    return ::testing::internal::GetCapturedStderr();
  }
  // What a terminal of 60 columns in the place of standard error receives.
  template <class Body>
  static std::string shown_on_terminal(const Body& body) {
    winsize size{};
    size.ws_col = 60;
    size.ws_row = 24;
    int master = -1, terminal = -1;
    if (openpty(&master, &terminal, nullptr, nullptr, &size) != 0) throw std::runtime_error("no pseudo-terminal");
    const int before = dup(STDERR_FILENO);
    dup2(terminal, STDERR_FILENO);
    body();
    dup2(before, STDERR_FILENO);
    close(before);
    std::string text;
    for (pollfd waiting{master, POLLIN, 0}; poll(&waiting, 1, 0) == 1;) {
      char buffer[4096];
      const ssize_t count = read(master, buffer, sizeof buffer);
      if (count <= 0) break;
      text.append(buffer, static_cast<size_t>(count));
    }
    close(terminal);
    close(master);
    return text;
  }
};

void say_everything() {
  log_debug("secret {}", 1);
  log_info("news {}", 2);
  log_warning("trouble {}", 3);
}

TEST_F(Log, ShowsInfoAndWarnings) { EXPECT_EQ(shown(say_everything), "news 2\nwarning: trouble 3\n"); }

TEST_F(Log, ShowsDebugWhenAsked) {
  set_verbosity(Verbosity::debug);
  EXPECT_EQ(shown(say_everything), "debug: secret 1\nnews 2\nwarning: trouble 3\n");
}

TEST_F(Log, ShowsOnlyWarningsWhenQuiet) {
  set_verbosity(Verbosity::quiet);
  EXPECT_EQ(shown([] {
              say_everything();
              Progress progress("train", 10, "epochs");
              progress.milestone("epoch 1/10");
            }),
            "warning: trouble 3\n");
}

TEST_F(Log, PassesBracesAndPercentSigns) {
  EXPECT_EQ(shown([] { log_info("{}", "{} %v %s"); }), "{} %v %s\n");
}

TEST_F(Log, PrintsOneLinePerStageAndMilestone_WithoutATerminal) {
  const std::string text = shown([] {
    Progress progress("train full", 3, "epochs");
    for (int epoch = 1; epoch <= 3; ++epoch) {
      progress.note("ignored");
      progress.advance();
      progress.milestone(fmt::format("epoch {}/3  acc 0.9{}", epoch, epoch));
    }
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
  EXPECT_THAT(text, AllOf(HasSubstr("train full: 3 epochs\n"), HasSubstr("train full: epoch 2/3  acc 0.92\n"),
                          HasSubstr("train full: done, 3/3 epochs")));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST_F(Log, SaysWhereAFailedStageStopped) {
  EXPECT_THAT(shown([] {
                try {
                  Progress progress("train", 3, "epochs");
                  progress.advance();
                  throw std::runtime_error("x");
                } catch (const std::runtime_error&) {
                }
              }),
              HasSubstr("train: stopped at 1/3 epochs"));
}

TEST_F(Log, DrawsABarNoWiderThanTheTerminal) {
  const std::string text = shown_on_terminal([] {
    Progress progress("train", 4, "epochs");
    usleep(120000);
    progress.note(std::string(100, 'x'));
    usleep(120000);
    progress.advance(2);
  });
  EXPECT_THAT(text, AllOf(HasSubstr("[--------------------] 0/4 epochs"), HasSubstr("[##########----------] 2/4 epochs")));
  const size_t bar = text.find("\r\x1b[K  train [####");
  ASSERT_NE(bar, std::string::npos);
  EXPECT_LE(text.find('\r', bar + 1) - bar - 4, 59u);
}

TEST_F(Log, RedrawsAtMostTenTimesASecond) {
  const std::string text = shown_on_terminal([] {
    Progress progress("train", 100000, "steps");
    for (int i = 0; i < 100000; ++i) progress.advance();
  });
  EXPECT_LT(std::count(text.begin(), text.end(), '\r'), 30);
}

TEST_F(Log, NeverTearsTheBar) {
  const std::string text = shown_on_terminal([] {
    Progress progress("train", 4, "epochs");
    log_warning("look here");
  });
  EXPECT_THAT(text, HasSubstr("\r\x1b[Kwarning: look here\r\n\r\x1b[K  train [----"));
}

TEST_F(Log, ShowsTheInnermostOfNestedBars) {
  const std::string text = shown_on_terminal([] {
    Progress outer("sweep", 2, "points");
    {
      Progress inner("train", 2, "epochs");
      outer.advance();
    }
    outer.advance();
  });
  EXPECT_THAT(text, AllOf(HasSubstr("train [---"), HasSubstr("train: done"), HasSubstr("sweep: done, 2/2 points")));
}

}  // namespace
}  // namespace tsrun
