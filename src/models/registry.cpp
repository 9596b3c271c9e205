#include <gradus/models/registry.h>

#include <gradus/models/alexnet.h>
#include <gradus/models/autoencoder.h>
#include <gradus/models/dcgan.h>
#include <gradus/models/gan.h>
#include <gradus/models/lenet.h>
#include <gradus/models/mobilenet.h>
#include <gradus/models/resnet.h>
#include <gradus/models/resnet_attention.h>
#include <gradus/models/vgg.h>
#include <gradus/models/vit.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "text/table.h"

namespace gradus::models {

namespace {

using Arguments = std::vector<Value>;

struct Entry {
  ModelInfo info;
  std::function<std::shared_ptr<nn::Module>(const Arguments&)> make;
};

template <class T>
struct Option {
  const char* name;
  T value;
  const char* about;
};

// A network that `build` makes of its options, in their order.
template <class Build, class... T>
Entry entry(const char* name, const char* about, const Shape& input, Build build, const Option<T>&... options) {
  const auto make = [build]<std::size_t... I>(const Arguments& values, std::index_sequence<I...>) {
    return nn::share(build(std::get<T>(values[I])...));
  };
  return {{name, about, input, {OptionInfo{options.name, options.value, options.about}...}},
          [make](const Arguments& values) { return make(values, std::index_sequence_for<T...>()); }};
}

// As `entry`, through the network's constructor.
template <class Net>
constexpr auto construct = [](const auto&... arguments) { return Net(arguments...); };

template <ResNet (*make)(const ResNetOptions&)>
constexpr auto resnet = [](std::int64_t num_classes, bool zero_init_residual) {
  return make({.num_classes = num_classes, .zero_init_residual = zero_init_residual});
};

template <VGG (*make)(VGGOptions)>
constexpr auto vgg =
    [](std::int64_t num_classes, double dropout) { return make({.num_classes = num_classes, .dropout = dropout}); };

template <class Net, class Options>
constexpr auto classifier = [](std::int64_t num_classes, double dropout) {
  return Net(Options{.num_classes = num_classes, .dropout = dropout});
};

template <class Net>
constexpr auto dcgan = [](std::int64_t noise, std::int64_t features, std::int64_t channels) {
  return Net({.noise = noise, .features = features, .channels = channels});
};

using Int = Option<std::int64_t>;
using Real = Option<double>;
using Flag = Option<bool>;

const Int kClasses{"num_classes", 1000, "how many classes"};
const Flag kZeroInit{"zero_init_residual", false, "each branch starts at zero"};
const Real kDropout{"dropout", 0.5, "probability in the classifier"};
const Int kNoise{"noise", 100, "numbers that an image is made from"};
const Int kFeatures{"features", 64, "channels beside the image"};
const Int kChannels{"channels", 3, "of the image"};
const Shape kPhoto{3, 224, 224};
constexpr const char* kResNet = "residual network for photos (He et al., 2016)";
constexpr const char* kVgg = "3 x 3 convolutions in a row, for photos (Simonyan and Zisserman, 2015)";
constexpr const char* kVggBn = "the same with batch normalisation";
constexpr const char* kVit = "vision transformer for photos (Dosovitskiy et al., 2021)";

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all{
      entry("autoencoder", "messages over a noisy channel (O'Shea and Hoydis, 2017)", {16}, construct<AutoEncoder>,
            Int{"messages", 16, "how many messages"}, Int{"uses", 7, "real numbers sent per message"}),
      entry("gan_generator", "100 random numbers to 28 x 28 images, fully connected", {100}, construct<Generator>),
      entry("gan_discriminator", "28 x 28 images, real or made, fully connected", {784}, construct<Discriminator>),
      entry("lenet", "small images, as LeCun et al. (1998)", {3, 32, 32}, construct<LeNet>,
            Int{"num_classes", 10, "how many classes"}),
      entry("resnet18", kResNet, kPhoto, resnet<resnet18>, kClasses, kZeroInit),
      entry("resnet34", kResNet, kPhoto, resnet<resnet34>, kClasses, kZeroInit),
      entry("resnet50", kResNet, kPhoto, resnet<resnet50>, kClasses, kZeroInit),
      entry("resnet101", kResNet, kPhoto, resnet<resnet101>, kClasses, kZeroInit),
      entry("resnet152", kResNet, kPhoto, resnet<resnet152>, kClasses, kZeroInit),
      entry(
          "resnet_attention", "a frozen ResNet-50 with attention over its last map", kPhoto,
          [](std::int64_t num_classes) { return ResNetAttention(resnet50(), num_classes); },
          Int{"num_classes", 10, "how many classes"}),
      entry("alexnet", "for photos (Krizhevsky, 2014)", kPhoto, classifier<AlexNet, AlexNetOptions>, kClasses,
            kDropout),
      entry("vgg11", kVgg, kPhoto, vgg<vgg11>, kClasses, kDropout),
      entry("vgg13", kVgg, kPhoto, vgg<vgg13>, kClasses, kDropout),
      entry("vgg16", kVgg, kPhoto, vgg<vgg16>, kClasses, kDropout),
      entry("vgg19", kVgg, kPhoto, vgg<vgg19>, kClasses, kDropout),
      entry("vgg11_bn", kVggBn, kPhoto, vgg<vgg11_bn>, kClasses, kDropout),
      entry("vgg13_bn", kVggBn, kPhoto, vgg<vgg13_bn>, kClasses, kDropout),
      entry("vgg16_bn", kVggBn, kPhoto, vgg<vgg16_bn>, kClasses, kDropout),
      entry("vgg19_bn", kVggBn, kPhoto, vgg<vgg19_bn>, kClasses, kDropout),
      entry("mobilenet_v2", "small and fast, for photos (Sandler et al., 2018)", kPhoto,
            classifier<MobileNetV2, MobileNetV2Options>, kClasses, Real{"dropout", 0.2, kDropout.about}),
      entry("vit_ti_16", kVit, kPhoto, vit_ti_16, kClasses),
      entry("vit_b_16", kVit, kPhoto, vit_b_16, kClasses),
      entry("dcgan_generator", "100 random numbers to 64 x 64 images (Radford et al., 2016)", {100, 1, 1},
            dcgan<DcganGenerator>, kNoise, kFeatures, kChannels),
      entry("dcgan_discriminator", "64 x 64 images, real or made (Radford et al., 2016)", {3, 64, 64},
            dcgan<DcganDiscriminator>, kNoise, kFeatures, kChannels),
  };
  return all;
}

const Entry& find(const char* call, const std::string& name) {
  std::vector<std::string> names;
  for (const Entry& entry : entries()) {
    if (entry.info.name == name) return entry;
    names.push_back(entry.info.name);
  }
  throw ValueError(std::string(call) + ": there is no model '" + name + "'" + did_you_mean(name, names));
}

const char* kind_of(const Value& value) {
  constexpr const char* kKinds[] = {"true or false", "an integer", "a number", "a text"};
  return kKinds[value.index()];
}

Value converted(const std::string& model, const OptionInfo& option, const Value& given) {
  if (given.index() == option.value.index()) return given;
  if (const auto* whole = std::get_if<std::int64_t>(&given); whole != nullptr && option.value.index() == 2)
    return static_cast<double>(*whole);
  throw ValueError("models::make: " + model + ": option " + option.name + " needs " + kind_of(option.value) + ", got " +
                   kind_of(given));
}

}  // namespace

const std::vector<ModelInfo>& list() {
  static const std::vector<ModelInfo> all = [] {
    std::vector<ModelInfo> infos;
    for (const Entry& entry : entries()) infos.push_back(entry.info);
    return infos;
  }();
  return all;
}

const ModelInfo& info(const std::string& name) { return find("models::info", name).info; }

std::shared_ptr<nn::Module> make(const std::string& name, const Options& options) {
  const Entry& entry = find("models::make", name);
  std::vector<std::string> names;
  for (const OptionInfo& option : entry.info.options) names.push_back(option.name);
  for (const auto& [key, value] : options) {
    if (std::find(names.begin(), names.end(), key) == names.end())
      throw ValueError("models::make: " + name + " has no option '" + key + "'" + did_you_mean(key, names));
  }
  Arguments values;
  for (const OptionInfo& option : entry.info.options) {
    const auto given = options.find(option.name);
    values.push_back(given == options.end() ? option.value : converted(name, option, given->second));
  }
  return entry.make(values);
}

}  // namespace gradus::models
