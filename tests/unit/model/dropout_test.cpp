#include "model/dropout_factors.h"
#include "support.h"
#include "tsrun/base/error.h"
#include "tsrun/base/parallel.h"
#include "tsrun/model/kernels.h"

#include "support/every_vectors.h"

#include <gtest/gtest.h>

namespace tsrun {
namespace {

const Key key = Key::root(7).split("test");

TEST(Dropout, KeepsTheStatedShareAndTheMean) {
  const at::Tensor y = dropout(at::ones({1000, 1000}), 0.1, key);
  EXPECT_NEAR((y == 0).to(at::kDouble).mean().item<double>(), 0.1, 0.002);
  EXPECT_NEAR(y.mean().item<double>(), 1, 0.002);
}

TEST(Dropout, DrawsTheNumbersOfTheKeyAtEveryPosition) {
  with_every_vectors([&] {
    const int64_t n = 300;
    const double p = 0.3;
    const at::Tensor y = dropout(at::ones({n}), p, key);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t group = i / 128, within = i % 128;
      const uint32_t word = key.block(static_cast<uint64_t>(group * 16 + within % 16))[static_cast<size_t>(within / 16 % 4)];
      const uint32_t number = within < 64 ? word & 0xffff : word >> 16;
      const bool kept = number >= static_cast<uint32_t>(std::lround(p * 65536));
      ASSERT_EQ(y[i].item<float>() != 0, kept) << "position " << i;
    }
  });
}

TEST(Dropout, DoesNotDependOnThreads) {
  with_every_vectors([&] {
    const at::Tensor x = at::randn({777, 333});
    const int before = threads();
    set_threads(1);
    const at::Tensor one = dropout(x, 0.1, key);
    set_threads(3);
    const at::Tensor three = dropout(x, 0.1, key);
    set_threads(before);
    EXPECT_TRUE(at::equal(one, three));
  });
}

TEST(Dropout, DrawsTheSameMaskInEveryType) {
  with_every_vectors([&] {
    const at::Tensor x = at::rand({37, 41}) + 1;
    EXPECT_TRUE(at::equal(dropout(x, 0.2, key) == 0, dropout(x.to(at::kDouble), 0.2, key) == 0));
  });
}

TEST(Dropout, DrawsTheSameMaskInBackward) {
  const at::Tensor x = at::rand({53, 29}).requires_grad_();
  const at::Tensor y = dropout(x, 0.4, key);
  y.sum().backward();
  EXPECT_LT(largest_difference(x.grad() * x.detach(), y.detach()), 1e-6);
}

TEST(Dropout, DiffersBetweenKeys) {
  const at::Tensor x = at::ones({4096});
  EXPECT_FALSE(at::equal(dropout(x, 0.5, key), dropout(x, 0.5, key.split("other"))));
}

TEST(Dropout, IsTheIdentityAtZeroAndRefusesOne) {
  const at::Tensor x = at::randn({5});
  EXPECT_TRUE(at::equal(dropout(x, 0, key), x));
  EXPECT_THROW(dropout(x, 1, key), Error);
}

}  // namespace
}  // namespace tsrun
