"""Attention, transformers and recurrent layers: printed form, state, outputs and gradients."""
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import rnn

from formula import fill, sketch, uniform
from trace_io import write

ABOUT = (
    "'cases': 'name' (tests/nn/sequences_test.cpp makes the same module and call), 'repr', 'state' as in layers.json; "
    "'outputs': sketches (formula.py) of all results; 'grads': of the gradients of sum(output i * uniform('y<i>')) over "
    "all outputs with respect to the inputs, which are uniform('x<i>', shape), and the parameters. Parameters are "
    "formula.py's. All float64."
)
cases = []


def case(name, module, call, shapes):
    """call(module, *inputs) gives a tuple of tensors."""
    entry = {"name": name}
    named = []
    if module is not None:
        entry["repr"] = repr(module)
        entry["state"] = {k: list(v.shape) for k, v in module.state_dict().items()}
        fill(module)
        named = list(module.named_parameters())
    inputs = [uniform(f"x{i}", s).requires_grad_() for i, s in enumerate(shapes)]
    outputs = call(module, *inputs)
    loss = sum((y * uniform(f"y{i}", y.shape)).sum() for i, y in enumerate(outputs))
    loss.backward()
    entry["outputs"] = [sketch(y) for y in outputs]
    entry["grads"] = {f"x{i}": sketch(x.grad) for i, x in enumerate(inputs)}
    entry["grads"] |= {k: sketch(p.grad) for k, p in named if p.grad is not None}
    cases.append(entry)


def attention():
    q, k, v = (2, 3, 4, 6), (2, 3, 5, 6), (2, 3, 5, 7)
    sdpa = lambda *args, **options: lambda _, *x: (F.scaled_dot_product_attention(*x, *args, **options),)
    case("sdpa", None, sdpa(), (q, k, v))
    case("sdpa_scale", None, sdpa(scale=0.3), (q, k, v))
    case("sdpa_causal", None, sdpa(is_causal=True), (q, k, v))
    seen = torch.tensor([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]], dtype=torch.bool)
    case("sdpa_bool_mask", None, sdpa(seen), (q, k, v))  # the second query sees nothing
    case("sdpa_float_mask", None, lambda _, *x: (F.scaled_dot_product_attention(*x[:3], x[3]),), (q, k, v, (4, 5)))
    case("sdpa_gqa", None, sdpa(enable_gqa=True), ((2, 6, 4, 5), (2, 3, 4, 5), (2, 3, 4, 5)))

    e, n, l, s = 8, 2, 4, 5
    both = lambda **options: lambda m, *x: m(*x, **options)
    alone = lambda **options: lambda m, *x: m(*x, **options)[:1]
    self_both = lambda **options: lambda m, x: m(x, x, x, **options)
    pad = torch.tensor([[0, 0, 1, 0, 1], [0, 0, 0, 0, 0]], dtype=torch.bool)
    hide = torch.triu(torch.ones(l, s, dtype=torch.bool), 1)
    cross = ((l, n, e), (s, n, e), (s, n, e))
    mha = nn.MultiheadAttention
    case("mha_self", mha(e, 2), self_both(), ((l, n, e),))
    case("mha_cross", mha(e, 2), both(), cross)
    case("mha_plain", mha(e, 4, bias=False), alone(need_weights=False), cross)
    case("mha_heads", mha(e, 2), both(average_attn_weights=False), cross)
    case("mha_batch_first", mha(e, 2, batch_first=True), both(), ((n, l, e), (n, s, e), (n, s, e)))
    case("mha_unbatched", mha(e, 2), both(), ((l, e), (s, e), (s, e)))
    case("mha_kv_dims", mha(e, 2, kdim=5, vdim=6), both(), ((l, n, e), (s, n, 5), (s, n, 6)))
    case("mha_extras", mha(e, 2, add_bias_kv=True, add_zero_attn=True), both(key_padding_mask=pad, attn_mask=hide), cross)
    case("mha_masks", mha(e, 2), alone(key_padding_mask=pad, attn_mask=hide, need_weights=False), cross)
    case("mha_float_mask", mha(e, 2), both(attn_mask=uniform("mask", (n * 2, l, s))), cross)
    causal = torch.triu(torch.ones(l, l, dtype=torch.bool), 1)
    case("mha_causal", mha(e, 2), lambda m, x: m(x, x, x, attn_mask=causal, is_causal=True, need_weights=False)[:1],
         ((l, n, e),))  # fmt: skip


def transformers():
    l, n, e = 5, 2, 8
    pad = torch.tensor([[0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], dtype=torch.bool)
    causal = torch.triu(torch.ones(l, l, dtype=torch.bool), 1)
    layer = lambda **o: nn.TransformerEncoderLayer(e, 2, 16, 0.0, **o)
    one = lambda **options: lambda m, x: (m(x, **options),)
    case("encoder_layer", layer(), one(), ((l, n, e),))
    case("encoder_layer_first", layer(activation="gelu", norm_first=True), one(src_mask=causal), ((l, n, e),))
    case("encoder_layer_masks", layer(batch_first=True, bias=False), one(src_mask=causal, src_key_padding_mask=pad),
         ((n, l, e),))  # fmt: skip
    case("encoder", nn.TransformerEncoder(layer(), 3, nn.LayerNorm(e), enable_nested_tensor=False),
         one(mask=causal, src_key_padding_mask=pad), ((l, n, e),))  # fmt: skip


def recurrent():
    l, n, i, h = 4, 2, 3, 5
    x = (l, n, i)
    lstm = lambda m, x, *s: (lambda y, c: (y, *c))(*m(x, s or None))
    case("rnn", nn.RNN(i, h), lambda m, x: m(x), (x,))
    case("rnn_relu", nn.RNN(i, h, 2, "relu", bidirectional=True), lambda m, *x: m(*x), (x, (4, n, h)))
    case("lstm", nn.LSTM(i, h), lstm, (x,))
    case("lstm_all", nn.LSTM(i, h, 2, batch_first=True, bidirectional=True, proj_size=2), lstm,
         ((n, l, i), (4, n, 2), (4, n, h)))  # fmt: skip
    case("lstm_no_bias", nn.LSTM(i, h, 2, bias=False), lstm, (x,))
    case("lstm_unbatched", nn.LSTM(i, h), lstm, ((l, i), (1, h), (1, h)))
    case("gru", nn.GRU(i, h), lambda m, x: m(x), (x,))
    case("gru_all", nn.GRU(i, h, 3, batch_first=True, bidirectional=True), lambda m, *x: m(*x), ((n, l, i), (6, n, h)))
    case("lstm_relay", nn.LSTM(i, h, 2, proj_size=3), lstm, (x, (2, n, 3), (2, n, h)))
    case("gru_no_bias", nn.GRU(i, h, bias=False), lambda m, *x: m(*x), (x, (1, n, h)))
    case("rnn_cell", nn.RNNCell(i, h), lambda m, *x: (m(*x),), ((n, i), (n, h)))
    case("rnn_cell_relu", nn.RNNCell(i, h, False, "relu"), lambda m, *x: (m(*x),), ((n, i),))
    case("lstm_cell", nn.LSTMCell(i, h), lambda m, x, *s: m(x, s), ((n, i), (n, h), (n, h)))
    case("gru_cell", nn.GRUCell(i, h), lambda m, *x: (m(*x),), ((n, i), (n, h)))
    case("gru_cell_unbatched", nn.GRUCell(i, h, bias=False), lambda m, *x: (m(*x),), ((i,), (h,)))


def packed():
    """Sequences of 2, 5, 1 and 5 positions, in this order; results padded with -1 to six positions."""
    i, h, lengths = 3, 4, torch.tensor([2, 5, 1, 5])

    def through(m, x, *s, batch_first=False):
        p = rnn.pack_padded_sequence(x, lengths, batch_first=batch_first, enforce_sorted=False)
        y, state = m(p, None if not s else s[0] if len(s) == 1 else s)
        padded, again = rnn.pad_packed_sequence(y, batch_first=batch_first, padding_value=-1.0, total_length=6)
        assert torch.equal(again, lengths)
        return (padded, *state) if isinstance(state, tuple) else (padded, state)

    case("packed_lstm", nn.LSTM(i, h, 2, bidirectional=True, proj_size=2), through,
         ((5, 4, i), (4, 4, 2), (4, 4, h)))  # fmt: skip
    case("packed_gru", nn.GRU(i, h, 2, bidirectional=True), through, ((5, 4, i), (4, 4, h)))
    case("packed_rnn", nn.RNN(i, h, nonlinearity="relu", batch_first=True, bidirectional=True),
         lambda m, x: through(m, x, batch_first=True), ((4, 5, i),))  # fmt: skip


def main():
    attention()
    transformers()
    recurrent()
    packed()
    write(__file__, {"about": ABOUT, "cases": cases})
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
