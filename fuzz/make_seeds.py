"""Writes the fuzzers' first inputs, fuzz/corpus/*/seed-*, from tests/fixtures."""
import os
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "tests", "fixtures")
SEEDS = {
    "pytorch_zip": ["dtypes.pth", "views.pth", "zip64.pth", "big_endian.pth", "no_crc.pth", "float16.pth", "script.pt", "other_types.pth"],
    "pytorch_stream": ["dtypes_legacy.pth", "views_legacy.pth", "objects_legacy.pth", "other_types_legacy.pth"],
    "pytorch_tar": ["tar2017.pth"],
    "safetensors": ["dtypes.safetensors", "other_types.safetensors"],
    "npy": ["row.npy"],
    "npz": ["arrays.npz", "arrays_compressed.npz", "dtypes.npz", "other_types.npz"],
    "any": ["no_crc.pth", "dtypes_legacy.pth", "tar2017.pth", "dtypes.safetensors", "row.npy", "arrays.npz"],
}
PICKLES = ["dtypes.pth", "views.pth", "checkpoint.pth", "protocol4.pth", "protocol5.pth", "module.pth", "uint16.pth", "conj.pth", "objects.pth", "objects_protocol5.pth"]
IMAGES = {"jpeg": [".jpg"], "png": [".png"]}
TOKENIZERS = ["bert", "gpt2", "llama2", "llama3", "metaspace"]
TABLES = {"plain": b"a,b,label\n1,2.5,x\n-3e4,,y\n", "quoted": b'"a ""b""","c\nd"\r\n"1",2\r\n'}


def put(parser, name, data):
    folder = os.path.join(HERE, "corpus", parser)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "seed-" + name), "wb") as out:
        out.write(data)


def main():
    for parser, names in SEEDS.items():
        for name in names:
            with open(os.path.join(FIXTURES, name), "rb") as file:
                put(parser, name, file.read())
    for name in PICKLES:
        with zipfile.ZipFile(os.path.join(FIXTURES, name)) as archive:
            put("pickle", name + ".pkl", archive.read(name.removesuffix(".pth") + "/data.pkl"))
    for protocol in range(6):
        with open(os.path.join(FIXTURES, f"protocol{protocol}.pkl"), "rb") as file:
            put("pickle", f"protocol{protocol}.pkl", file.read())
    for arrays in ("arrays.npz", "other_types.npz"):
        with zipfile.ZipFile(os.path.join(FIXTURES, arrays)) as archive:
            for name in archive.namelist():
                put("npy", name, archive.read(name))
    for parser, ends in IMAGES.items():
        for name in sorted(os.listdir(os.path.join(FIXTURES, "images"))):
            if name.endswith(tuple(ends)):
                with open(os.path.join(FIXTURES, "images", name), "rb") as file:
                    put(parser, name, file.read())
    for name in TOKENIZERS:
        with open(os.path.join(FIXTURES, "text", "tokenizer_" + name, "tokenizer.json"), "rb") as file:
            put("tokenizer", name + ".json", file.read())
    for name, text in TABLES.items():
        put("csv", name + ".csv", text)
    pixels = bytes(i % 251 for i in range(3072))
    put("cifar", "10.bin", bytes([9]) + pixels)
    put("cifar", "100.bin", bytes([19, 99]) + pixels)


if __name__ == "__main__":
    main()
