#include "tsrun/base/log.h"

#include "tsrun/base/display.h"

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
  ~Log() override {
    Display::get().end_run();
    set_verbosity(Verbosity::normal);
  }
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
  const size_t bar = text.find("\r\x1b[J  train [####");
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
  EXPECT_THAT(text, HasSubstr("\r\x1b[Jwarning: look here\r\n\r\x1b[J  train [----"));
}

/// The news of a stage, as a Lab would give it.
News stage(const std::string& key, const std::string& outcome, double seconds = 0) {
  News news;
  news.kind = News::Kind::stage;
  news.key = key;
  news.title = key;
  news.stage = "train";
  news.outcome = outcome;
  news.seconds = seconds;
  return news;
}

TEST_F(Log, SaysAMessageOnceInARun_WhoeverHasItToSay) {
  const std::string text = shown([] {
    Display::get().begin_run("recipe");
    News theirs;
    theirs.level = "info";
    theirs.note = "builtin:bert-mini: weights of another head, not used";
    for (int i = 0; i < 3; ++i) {
      log_info("{}", theirs.note);
      Display::get().take(i, theirs);
      log_message("recipe", "told");
    }
  });
  EXPECT_EQ(text, "builtin:bert-mini: weights of another head, not used\ntold\ntold\ntold\n");
}

TEST_F(Log, SaysItAgain_OutsideARun) {
  EXPECT_EQ(shown([] {
              log_info("news");
              log_info("news");
            }),
            "news\nnews\n");
}

TEST_F(Log, PrintsALineForEachStageThatHasEnded_WithoutATerminal) {
  const std::string text = shown([] {
    Display::get().begin_run("recipe");
    for (const char* title : {"raw: outliers, seed 1", "raw: outliers, seed 2"}) {
      Progress progress(title, 2, "steps");
      for (int step = 0; step < 2; ++step) {
        progress.advance();
        progress.milestone("accuracy 0.5");
      }
    }
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_THAT(text, HasSubstr("raw: outliers, seed 2: done, 2/2 steps  accuracy 0.5"));
}

TEST_F(Log, DrawsOneBlock_TheRunAboveAndALineForEachProcessBelow) {
  const std::string text = shown_on_terminal([] {
    Display& display = Display::get();
    display.begin_run("ablation");
    for (const char* key : {"a", "b", "c", "d"}) display.take(-1, stage(key, "planned"));
    News whole;
    whole.kind = News::Kind::planned;
    display.take(-1, whole);
    display.take(0, stage("a", "computed", 10));
    display.take(1, stage("b", "running"));
    News bar;
    bar.kind = News::Kind::begin;
    bar.id = 7;
    bar.title = "full, seed 2";
    bar.unit = "steps";
    bar.total = 4;
    display.take(1, bar);
    const Progress own("full, seed 1", 4, "steps");
    usleep(120000);
    display.take(0, stage("c", "running"));
    display.end_run();
  });
  EXPECT_THAT(text, HasSubstr("ablation [#####---------------] 1/4 stages  eta 0:15\r\n"  // three stages of 10 seconds, two at once
                              "  full, seed 1 [--------------------] 0/4 steps\r\n"
                              "  full, seed 2 [--------------------] 0/4 steps"));
  EXPECT_THAT(text, HasSubstr("\r\x1b[2A\x1b[J")) << "the block is not taken away";
}

TEST_F(Log, KeepsControlCharactersFromEveryStream) {
  EXPECT_EQ(shown([] {
              log_info(
                  "a\x1b[2Jb\rc\x9b"
                  "d");
            }),
            "a\\x1b[2Jb\\rc\\x9bd\n");
  const std::string bar = shown_on_terminal([] { const Progress progress("ti\x1b]0;x\x07tle\n", 1, "steps"); });
  EXPECT_THAT(bar, HasSubstr("ti\\x1b]0;x\\x07tle\\n [--"));
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
