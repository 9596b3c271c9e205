#!/usr/bin/env python3
"""LoRA on small GPT-2 and Llama models: Gradus beside PEFT, in turn within one run.

bench/adapters.py [--rounds N] [--threads N ...] [CASE ...]

Needs build/release/bench/gradus_adapters, and torch, transformers and peft. Each side is one process per case; each round
gives both a few steps in turn. Batch 4, 256 positions, 6 layers of 384, 5,000 words, rank 8, AdamW.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS = os.path.join(ROOT, "build", "release", "bench", "gradus_adapters")
STEPS = 4

# case: model, what runs, the layers for Gradus and for PEFT
CASES = {
    "gpt2": ("gpt2", "one", "*.c_attn", ["c_attn"]),
    "gpt2, dropout 0.1": ("gpt2-dropout", "one", "*.c_attn", ["c_attn"]),
    "llama": ("llama", "one", "*.self_attn.[qv]_proj", ["q_proj", "v_proj"]),
    "llama, all layers": ("llama", "one", "*_proj", ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
                                                     "down_proj"]),
    "gpt2, four in turn": ("gpt2", "turns", "*.c_attn", ["c_attn"]),
    "gpt2, four in a batch": ("gpt2", "batch", "*.c_attn", ["c_attn"]),
}


def make_models(folder):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
    torch.manual_seed(0)
    sizes = dict(vocab_size=5000, n_positions=256, n_embd=384, n_layer=6, n_head=6)
    for name, p in (("gpt2", 0.0), ("gpt2-dropout", 0.1)):
        GPT2LMHeadModel(GPT2Config(**sizes, resid_pdrop=p, embd_pdrop=p, attn_pdrop=p)).save_pretrained(
            os.path.join(folder, name))
    LlamaForCausalLM(LlamaConfig(vocab_size=5000, hidden_size=384, intermediate_size=1024, num_hidden_layers=6,
                                 num_attention_heads=6, num_key_value_heads=2)).save_pretrained(
        os.path.join(folder, "llama"))


def memory(field):
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(field))


def serve(model, threads, kind, layers):
    """The PEFT side: as adapters.cpp."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(threads)
    net = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    net.config.use_cache = False
    loaded = memory("VmRSS")

    def config():
        return LoraConfig(r=8, lora_alpha=16, target_modules=layers, fan_in_fan_out="c_attn" in layers)
    names = [f"a{i}" for i in range(1 if kind == "one" else 4)]
    net = get_peft_model(net, config(), adapter_name="a0")
    for name in names[1:]:
        net.add_adapter(name, config())
    net.train()
    optimizers = []
    for name in names:
        net.set_adapter(name)
        optimizers.append(torch.optim.AdamW([p for n, p in net.named_parameters() if f".{name}." in n], lr=1e-4))
    net.set_adapter("a0")
    ids = (torch.arange(4 * 256) * 7919 % 4999).reshape(4, 256)
    for line in sys.stdin:
        times = []
        for k in range(int(line)):
            start = time.perf_counter()
            i = k % len(names)
            if kind == "turns":
                net.set_adapter(names[i])
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss = net(input_ids=ids, labels=ids).loss
            loss.backward()
            optimizers[i].step()
            value = loss.item()
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps({"ms": times, "loss": value, "loaded": loaded, "peak": memory("VmHWM")}), flush=True)


class Side:
    def __init__(self, command, threads):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=environment)
        self.times, self.last = [], None

    def round(self, steps=STEPS, counts=True):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        self.last = json.loads(self.process.stdout.readline())
        if counts:
            self.times += self.last["ms"]
        return self.last

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("cases", nargs="*", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_models(folder)
        print("| case | threads | Gradus | PEFT | ratio | peak beyond the model | PEFT | ratio | peak in all | PEFT | ratio |")
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for case in options.cases or CASES:
            model, kind, pattern, layers = CASES[case]
            path = os.path.join(folder, model)
            for threads in options.threads:
                ours = Side([OURS, path, str(threads), kind, pattern], threads)
                theirs = None
                if kind != "batch":  # PEFT mixes adapters in a batch only without gradients
                    theirs = Side([sys.executable, __file__, "--serve", path, str(threads), kind, *layers], threads)
                sides = [ours] + ([theirs] if theirs else [])
                first = [side.round(STEPS, counts=False)["loss"] for side in sides]
                assert "dropout" in case or all(abs(a - first[0]) < 1e-2 for a in first), first
                for _ in range(options.rounds):
                    for side in sides:
                        side.round()
                row = [case, str(threads)]
                medians = [statistics.median(side.times) for side in sides]
                grown = [side.last["peak"] - side.last["loaded"] for side in sides]
                peaks = [side.last["peak"] for side in sides]
                for values, unit in ((medians, "ms"), (grown, "MB"), (peaks, "MB")):
                    row.append(f"{values[0]:.0f} {unit}")
                    row += [f"{values[1]:.0f} {unit}", f"{values[0] / values[1]:.2f}"] if theirs else ["", ""]
                print("| " + " | ".join(row) + " |", flush=True)
                for side in sides:
                    side.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5:])
    else:
        main()
