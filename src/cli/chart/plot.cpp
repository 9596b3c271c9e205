#include "cli/chart/plot.h"

#include <cairo-svg.h>
#include <cairo.h>
#include <fmt/format.h>

#include <memory>
#include <new>

#include "cli/chart/plot_paint.h"
#include "gradus/core/error.h"
#include "io/file/atomic_file.h"

namespace gradus::cli {
namespace {

constexpr double kPixels = 3;  // to a point

// Called by C code, through which no exception may pass.
cairo_status_t append(void* to, const unsigned char* bytes, unsigned count) noexcept {
  try {
    static_cast<std::string*>(to)->append(reinterpret_cast<const char*>(bytes), count);
    return CAIRO_STATUS_SUCCESS;
  } catch (const std::bad_alloc&) {
    return CAIRO_STATUS_NO_MEMORY;
  }
}

struct Destroy {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  void operator()(cairo_t* cairo) const { cairo_destroy(cairo); }
};

void check(cairo_status_t status, const std::string& path) {
  if (status == CAIRO_STATUS_SUCCESS) return;
  throw IoError(fmt::format("draw_chart: cannot draw {}: {}", path, cairo_status_to_string(status)));
}

std::string render(const std::string& path, const std::vector<Chart>& charts, bool svg) {
  std::string bytes;
  const double scale = svg ? 1 : kPixels;
  const std::size_t columns = charts.size() == 1 ? 1 : 2, rows = (charts.size() + columns - 1) / columns;
  const double width = kChartWidth * static_cast<double>(columns), height = kChartHeight * static_cast<double>(rows);
  const std::unique_ptr<cairo_surface_t, Destroy> surface(
      svg ? cairo_svg_surface_create_for_stream(append, &bytes, width, height)
          : cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width * kPixels),
                                       static_cast<int>(height * kPixels)));
  {
    const std::unique_ptr<cairo_t, Destroy> cairo(cairo_create(surface.get()));
    cairo_scale(cairo.get(), scale, scale);
    cairo_set_source_rgb(cairo.get(), 1, 1, 1);
    cairo_paint(cairo.get());
    for (std::size_t i = 0; i < charts.size(); ++i) {
      cairo_save(cairo.get());
      cairo_translate(cairo.get(), kChartWidth * static_cast<double>(i % columns),
                      kChartHeight * static_cast<double>(i / columns));
      paint_chart(cairo.get(), charts[i]);
      cairo_restore(cairo.get());
    }
    check(cairo_status(cairo.get()), path);
  }
  if (!svg) check(cairo_surface_write_to_png_stream(surface.get(), append, &bytes), path);
  cairo_surface_finish(surface.get());
  check(cairo_surface_status(surface.get()), path);
  return bytes;
}

}  // namespace

void draw_chart(const std::string& path, const Chart& chart) { draw_charts(path, {chart}); }

void draw_charts(const std::string& path, const std::vector<Chart>& charts) {
  const bool svg = path.ends_with(".svg");
  if (!svg && !path.ends_with(".png")) throw ValueError("draw_chart: need a name ending in .png or .svg, got " + path);
  constexpr std::size_t kMost = 40;
  if (charts.empty() || charts.size() > kMost)
    throw ValueError(fmt::format("draw_charts: need 1 to {} charts, got {}", kMost, charts.size()));
  for (const Chart& chart : charts) {
    for (const Series& series : chart.series) {
      if (series.x.size() == series.y.size()) continue;
      throw ValueError(fmt::format("draw_chart: need as many x as y, got {} and {} in series \"{}\"", series.x.size(),
                                   series.y.size(), series.name));
    }
  }
  io::write_file(path, render(path, charts, svg));
}

}  // namespace gradus::cli
