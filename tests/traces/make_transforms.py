"""Records torchvision's transforms of images: transforms.json.

Needs torchvision 0.29 with torch 2.14, and Pillow. Run as: python tests/traces/make_transforms.py
"""
import json
import os
import random

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F
from torchvision.transforms import v2

torch.set_num_threads(1)
MODES = {"nearest": InterpolationMode.NEAREST, "nearest-exact": InterpolationMode.NEAREST_EXACT,
         "bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def picture(channels, height, width, seed):
    source = random.Random(seed)
    values = [min(255, max(0, [9 * x, 13 * y, 255 - 8 * (x + y)][c] + source.randrange(-40, 40)))
              for c in range(channels) for y in range(height) for x in range(width)]
    return torch.tensor(values, dtype=torch.uint8).reshape(channels, height, width)


def record(x):
    if x.is_floating_point():
        return {"sizes": list(x.shape), "values": [round(v, 7) for v in x.reshape(-1).tolist()]}
    return {"sizes": list(x.shape), "bytes": bytes(x.reshape(-1).tolist()).hex()}


def main():
    images = {"rgb": picture(3, 17, 23, 1), "gray": picture(1, 11, 9, 2), "tall": picture(3, 29, 7, 3)}
    cases = []

    def add(call, image, result, **arguments):
        cases.append({"call": call, "image": image, **arguments, "result": record(result)})

    for name, image in images.items():
        for size in [(8, 10), (40, 31), (5, 40), (2, 1), (17, 12), (9, 23)]:
            for mode, value in MODES.items():
                for antialias in [True, False] if mode in PILLOW and size != (40, 31) else [True]:
                    if antialias or mode not in PILLOW:
                        result = F.resize(image, list(size), value, antialias=antialias)
                    else:
                        result = F.resize(image.float(), list(size), value, antialias=False).round().clamp(0, 255).byte()
                    add("resize", name, result, size=size, mode=mode, antialias=antialias)
        for mode in PILLOW:
            add("resize_float", name, F.resize(image.float() / 255, [8, 10], MODES[mode], antialias=True), size=(8, 10),
                mode=mode)
            pillow = F.to_pil_image(image).resize((10, 8), PILLOW[mode])
            array = np.array(pillow).reshape(8, 10, -1).transpose(2, 0, 1).copy()
            add("resize_pillow", name, torch.from_numpy(array), size=(8, 10), mode=mode)
        for size in [(8, 8), (9, 6), (30, 31), (12, 40)]:
            add("center_crop", name, F.center_crop(image, list(size)), size=size)
        for size, most in [(8, None), (15, None), (8, 10), (20, 23)]:
            add("Resize", name, v2.Resize(size, max_size=most, antialias=True)(image), size=size, max_size=most)
        for mode in ["constant", "edge", "reflect", "symmetric"]:
            add("pad", name, F.pad(image, [3, 1, 2, 4], fill=7 if mode == "constant" else 0, padding_mode=mode), mode=mode)
        add("horizontal_flip", name, F.horizontal_flip(image))
        add("vertical_flip", name, F.vertical_flip(image))
        for call in ["adjust_brightness", "adjust_contrast", "adjust_saturation"]:
            for factor in [0, 0.4, 1, 1.7]:
                add(call, name, getattr(F, call)(image, factor), factor=factor)
        for factor in [-0.5, -0.21, 0, 0.13, 0.5]:
            add("adjust_hue", name, F.adjust_hue(image, factor), factor=factor)
        for channels in [1, 3]:
            add("rgb_to_grayscale", name, F.rgb_to_grayscale(image, channels), channels=channels)
        scaled = F.to_dtype(image, torch.float32, scale=True)
        add("to_float", name, scaled)
        add("to_bytes", name, F.to_dtype(scaled, torch.uint8, scale=True))
        channels = image.shape[0]
        add("normalize", name, F.normalize(scaled, [0.485, 0.456, 0.406][:channels], [0.229, 0.224, 0.225][:channels]))
        add("float_hue", name, F.adjust_hue(scaled, 0.13))
        add("float_contrast", name, F.adjust_contrast(scaled, 0.4))

    about = ("What torchvision.transforms.v2.functional makes of uint8 images [C, H, W]; resize_float and normalize of "
             "them as float32 from 0 to 1, rounded to 7 digits; resize_pillow is Pillow's. \"bytes\" are in hexadecimal digits.")
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "transforms.json"), "w") as out:
        json.dump({"about": about, "images": {k: record(v) for k, v in images.items()}, "cases": cases}, out,
                  separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
