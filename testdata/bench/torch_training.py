"""Training in PyTorch, eager, with its fused Adam, for the models of training_models.py: short epochs, smallest time a step.

Each model is written with PyTorch's own operations: convolution and pooling, which are faster here than slices and a product and are
fastest with channels last, attention, layer norm. Shuffled rows are gathered for every step; the loss is summed in a tensor and read once an
epoch, as mbuild does. Float32, two threads. Run by testdata/bench/xla.sh where PyTorch is installed.
"""
import numpy as np
import torch
import torch.nn.functional as F

import training_models as models


def mlp(params, x):
    for k in range(0, len(params), 2):
        x = F.linear(x, params[k], params[k + 1])
        if k + 2 < len(params):
            x = F.relu(x)
    return x


def cnn(params, x):
    x = x.view(-1, 28, 28, 1).permute(0, 3, 1, 2)
    for k in (0, 2):
        x = F.relu(F.max_pool2d(F.conv2d(x, params[k], params[k + 1], padding=1), 2))
    return F.linear(x.flatten(1), params[4], params[5])


def encoder(e):
    def forward(params, x):
        p = iter(params)
        ids, mask = x
        dense = lambda x: F.linear(x, next(p), next(p))
        norm = lambda x: F.layer_norm(x, (e.units,), next(p), next(p), 1e-5)
        m = mask.float()
        bias = ((m - 1) * 1e9)[:, None, None, :]
        x = norm(F.embedding(ids, next(p)) + next(p))
        split = lambda y: y.view(*y.shape[:2], e.heads, e.units // e.heads).transpose(1, 2)
        for _ in range(e.blocks):
            q, k, v = split(dense(x)), split(dense(x)), split(dense(x))
            y = F.scaled_dot_product_attention(q, k, v, bias).transpose(1, 2).reshape(x.shape)
            x = norm(x + dense(y))
            x = norm(x + dense(F.gelu(dense(x), approximate="tanh")))
        pool = (x * m[..., None]).sum(1) / m.sum(1, keepdim=True).clamp(min=1e-9)
        return dense(pool)

    return forward


def layout(model, params):
    """The parameters of training_models.py as PyTorch has them: dense weights [out, in], convolutions [out, in, 3, 3] with channels last,
    features NCHW."""
    if isinstance(model, models.CNN):
        kernel = lambda w, rows, columns: w.reshape(rows, columns, -1, w.shape[-1]).transpose(3, 2, 0, 1)
        a, b, c, d, e, f = params
        params = [kernel(a, 3, 3), b, kernel(c, 3, 3), d, kernel(e, 7, 7).reshape(f.size, -1), f]
    else:
        embeddings = 2 if isinstance(model, models.Encoder) else 0
        params = params[:embeddings] + [p.T for p in params[embeddings:]]
    form = lambda p: torch.channels_last if p.ndim == 4 else torch.contiguous_format
    return [torch.from_numpy(p).contiguous(memory_format=form(p)).requires_grad_() for p in params]


def trainer(model, params, x, y):
    forward = {models.MLP: lambda m: mlp, models.CNN: lambda m: cnn, models.Encoder: encoder}[type(model)](model)
    params = layout(model, params)
    adam = torch.optim.Adam(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, fused=True)
    inputs = tuple(map(torch.from_numpy, x)) if isinstance(x, tuple) else torch.from_numpy(x)
    labels = torch.from_numpy(y.astype(np.int64))
    losses = torch.zeros(())

    def step(rows):
        rows = torch.from_numpy(rows)
        batch = tuple(a[rows] for a in inputs) if isinstance(inputs, tuple) else inputs[rows]
        loss = F.cross_entropy(forward(params, batch), labels[rows])
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        losses.add_(loss.detach())

    return step, losses.item


if __name__ == "__main__":
    torch.set_num_threads(2)
    models.main("torch-ms/step", trainer)
