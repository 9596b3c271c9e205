#include "data/loader/repr.h"
#include "gradus/core/error.h"
#include "gradus/data/random.h"

namespace gradus::data::transforms {

Tensor Compose::apply(const Tensor& image) const {
  Tensor x = image;
  for (std::size_t i = 0; i < transforms_.size(); ++i) {
    const auto* resize = dynamic_cast<const Resize*>(transforms_[i].operator->());
    const auto* crop =
        i + 1 < transforms_.size() ? dynamic_cast<const CenterCrop*>(transforms_[i + 1].operator->()) : nullptr;
    if (resize != nullptr && crop != nullptr) {
      x = resize->apply(x, *crop);
      ++i;
    } else {
      x = transforms_[i](x);
    }
  }
  return x;
}

bool Compose::is_random() const {
  for (const AnyTransform& transform : transforms_)
    if (transform.is_random()) return true;
  return false;
}

std::string Compose::to_string() const {
  std::string text = "Compose(\n";
  for (const AnyTransform& transform : transforms_) {
    if (transform) text += "      " + transform->to_string() + "\n";
  }
  return text + ")";
}

std::string Compose::identity() const {
  std::string text = "Compose(";
  for (const AnyTransform& transform : transforms_) {
    const std::string part = transform.identity();
    if (part.empty()) return {};
    text += part + ";";
  }
  return text + ")";
}

namespace {
void check_probability(const char* transform, double p) {
  if (!(p >= 0 && p <= 1)) throw ValueError(fmt::format("{}: need a probability from 0 to 1, got {}", transform, p));
}
}  // namespace

RandomApply::RandomApply(std::vector<AnyTransform> transforms, double p) : transforms_(std::move(transforms)), p_(p) {
  check_probability("RandomApply", p);
}

Tensor RandomApply::apply(const Tensor& image) const {
  return random_uniform() < p_ ? transforms_.apply(image) : image;
}

std::string RandomApply::to_string() const {
  return fmt::format("RandomApply(p={}, {})", repr(p_), transforms_.to_string());
}

std::string RandomApply::identity() const {
  const std::string inner = transforms_.identity();
  return inner.empty() ? inner : fmt::format("RandomApply({}, {})", p_, inner);
}

RandomHorizontalFlip::RandomHorizontalFlip(double p) : p_(p) { check_probability("RandomHorizontalFlip", p); }
RandomVerticalFlip::RandomVerticalFlip(double p) : p_(p) { check_probability("RandomVerticalFlip", p); }

Tensor RandomHorizontalFlip::apply(const Tensor& image) const {
  return random_uniform() < p_ ? functional::horizontal_flip(image) : image;
}
Tensor RandomVerticalFlip::apply(const Tensor& image) const {
  return random_uniform() < p_ ? functional::vertical_flip(image) : image;
}

std::string RandomHorizontalFlip::to_string() const { return fmt::format("RandomHorizontalFlip(p={})", repr(p_)); }
std::string RandomVerticalFlip::to_string() const { return fmt::format("RandomVerticalFlip(p={})", repr(p_)); }

}  // namespace gradus::data::transforms
