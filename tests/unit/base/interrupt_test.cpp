#include "tsrun/base/interrupt.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "support/errors.h"

namespace tsrun {
namespace {

TEST(Interrupt, RaisesAnErrorOnTheFirstSignal) {
  watch_interrupts();
  for (const int signal : {SIGINT, SIGTERM}) {
    EXPECT_NO_THROW(check_interrupt());
    std::raise(signal);
    EXPECT_TRUE(interrupted());
    testing::message_of(ErrorKind::interrupt, [] { check_interrupt(); });
    clear_interrupt();
  }
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

TEST(Interrupt, EndsTheProcessOnTheSecondSignal) {
  const pid_t child = fork();
  if (child == 0) {
    watch_interrupts();
    std::raise(SIGINT);
    std::raise(SIGINT);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
}

}  // namespace
}  // namespace tsrun
