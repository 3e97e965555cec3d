#include "report/figure.h"
#include "tsrun/report/text.h"

#include <algorithm>
#include <cmath>

namespace tsrun::report {

namespace {

constexpr double letter_height = 14.5, point_radius = 4, halo = 3;

struct Box {
  double left = 0, right = 0, top = 0, bottom = 0;
};

double shared_area(const Box& a, const Box& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left),
               height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}

Box box_of(const Label& label, double width) {
  const double left = label.anchor == "left" ? label.x : label.anchor == "right" ? label.x - width : label.x - width / 2;
  return {left - halo, left + width + halo, label.y - letter_height / 2, label.y + letter_height / 2};
}

/// Beside, above and below the point, then the same farther off.
std::vector<Label> candidates(const Spot& spot) {
  std::vector<Label> all;
  for (const double off : {9.0, 20.0, 32.0, 46.0, 62.0, 80.0, 100.0}) {
    const bool far = off > 9;
    const double up = letter_height / 2 + off - 1, side = far ? 0.8 * off : off;
    all.insert(all.end(), {{spot.x + off, spot.y, "left", far},
                           {spot.x - off, spot.y, "right", far},
                           {spot.x, spot.y - up, "center", far},
                           {spot.x, spot.y + up, "center", far},
                           {spot.x + side, spot.y - up * 0.7, "left", far},
                           {spot.x - side, spot.y - up * 0.7, "right", far},
                           {spot.x + side, spot.y + up * 0.7, "left", far},
                           {spot.x - side, spot.y + up * 0.7, "right", far}});
  }
  return all;
}

}  // namespace

std::vector<Label> place_labels(const std::vector<Spot>& spots, double width, double height, double letter) {
  std::vector<Box> taken, bars;
  for (const Spot& spot : spots) {
    taken.push_back({spot.x - point_radius, spot.x + point_radius, spot.y - point_radius, spot.y + point_radius});
    bars.push_back({spot.x - point_radius, spot.x + point_radius, spot.y - spot.up, spot.y + spot.up});
    bars.push_back({spot.x - spot.across, spot.x + spot.across, spot.y - point_radius, spot.y + point_radius});
  }
  std::vector<Label> placed;
  for (const Spot& spot : spots) {
    const double own = letter * static_cast<double>(display_width(spot.name));
    Label best;
    double least = HUGE_VAL;
    for (const Label& label : candidates(spot)) {
      const Box box = box_of(label, own);
      const Box inside = {std::max(box.left, 0.0), std::min(box.right, width), std::max(box.top, 0.0), std::min(box.bottom, height)};
      double covered = (own + 2 * halo) * letter_height - shared_area(box, inside);  // what the frame would cut off
      for (const Box& other : taken) covered += shared_area(box, other);
      for (const Box& bar : bars) covered += shared_area(box, bar) / 4;  // a line across letters hides less than letters do
      if (covered < least - 1e-9) best = label, least = covered;
    }
    taken.push_back(box_of(best, own));
    placed.push_back(best);
  }
  return placed;
}

}  // namespace tsrun::report
