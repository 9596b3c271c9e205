// What tests of recipes share: small data in files, and runs to the end.
#pragma once

#include <gradus/gradus.h>
#include <gradus/models/pretrained.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <memory>

#include "io/image/png.h"
#include "recipe/training.h"
#include "support/paths.h"
#include "support/temp_folder.h"

namespace gradus::recipe {

inline std::string shipped(const std::string& name) { return test::source_path("recipes/" + name + ".yaml"); }

// 28 x 28 images of 10 classes, as Fashion-MNIST's files.
inline void put_fashion(const test::TempFolder& folder, unsigned char count = 40) {
  for (const std::string part : {"train", "t10k"}) {
    std::string images{"\0\0\x08\x03\0\0\0", 7}, labels{"\0\0\x08\x01\0\0\0", 7};
    images += static_cast<char>(count);
    images += std::string{"\0\0\0\x1c\0\0\0\x1c", 8};
    labels += static_cast<char>(count);
    for (int i = 0; i < count; ++i) {
      labels += static_cast<char>(i % 10);
      for (int k = 0; k < 784; ++k) images += static_cast<char>((i * 37 + k * (1 + i % 10)) % 251);
    }
    test::put_file(folder / (part + "-images-idx3-ubyte"), images);
    test::put_file(folder / (part + "-labels-idx1-ubyte"), labels);
  }
}

// Three classes of four images of 36 x 36.
inline void put_photos(const test::TempFolder& folder) {
  for (int type = 0; type < 3; ++type) {
    const std::string path = folder / ("class" + std::to_string(type));
    std::filesystem::create_directory(path);
    for (int i = 0; i < 4; ++i) {
      io::Image image{36, 36, 3, std::vector<std::uint8_t>(36 * 36 * 3)};
      for (std::size_t k = 0; k < image.data.size(); ++k)
        image.data[k] = static_cast<std::uint8_t>(
            (k * static_cast<std::size_t>(type + 2) + static_cast<std::size_t>(i) * 31) % 256);
      io::write_png(path + "/" + std::to_string(i) + ".png", image.view());
    }
  }
}

// A small GPT-2 with a tokenizer in `gpt2`, and a text, book.txt.
inline void put_language_model(const test::TempFolder& folder) {
  manual_seed(3);
  models::GPT2 net({.vocab_size = 424, .n_positions = 48, .n_embd = 16, .n_layer = 2, .n_head = 2});
  models::save_pretrained(net, folder / "gpt2");
  std::filesystem::copy(test::source_path("tests/fixtures/text/tokenizer_gpt2"), folder / "gpt2");
  std::string text;
  for (int i = 0; i < 20; ++i)
    text += "the people of the word write to the people of the world.\nthis is what they do.\n\n";
  test::put_file(folder / "book.txt", text);
}

inline std::unique_ptr<Training> made(const Recipe& recipe) {
  manual_seed(recipe.seed);
  auto training = std::make_unique<Training>(recipe);
  training->check();
  return training;
}

inline std::unique_ptr<Training> trained(const Recipe& recipe) {
  auto training = made(recipe);
  while (!training->done()) training->step();
  return training;
}
inline std::unique_ptr<Training> trained(const std::string& name, const std::vector<std::string>& changes) {
  return trained(read_recipe(shipped(name), changes));
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.sizes() == b.sizes() && a.dtype() == b.dtype() &&
         std::memcmp(a.contiguous().data_ptr(), b.contiguous().data_ptr(),
                     static_cast<std::size_t>(a.numel() * a.element_size())) == 0;
}

// Parameters and buffers in their order, whatever their names.
inline void expect_same(nn::Module& ours, nn::Module& twin, const char* what) {
  const nn::StateDict a = ours.state_dict(), b = twin.state_dict();
  ASSERT_EQ(a.size(), b.size()) << what;
  auto other = b.begin();
  for (const auto& [name, tensor] : a) {
    EXPECT_TRUE(same_bits(tensor, other->second)) << what << ": " << name << " and " << other->first;
    ++other;
  }
}

}  // namespace gradus::recipe
