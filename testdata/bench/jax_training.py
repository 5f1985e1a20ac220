"""Training in JAX, jitted, with donated buffers, for the models of BenchmarkRatio in stdlib/learn: short epochs, smallest time a step.

Shuffled rows are gathered on the host and fed to every step; the loss is summed on the device and read once an epoch, as mbuild
does. The convolutional network is slices and one product, pooled by reshape, which on a CPU is faster in JAX, too, than its own
convolution. Run by testdata/bench/xla.sh.
"""
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np


def dense_init(widths, rng):
    params = []
    for i, o in zip(widths, widths[1:]):
        limit = np.sqrt(6 / (i + o))
        params += [rng.uniform(-limit, limit, (i, o)).astype(np.float32), np.zeros(o, np.float32)]
    return params


def mlp(params, x):
    for k in range(0, len(params), 2):
        x = x @ params[k] + params[k + 1]
        if k + 2 < len(params):
            x = jnp.maximum(x, 0)
    return x


def cnn(params, x):
    x = x.reshape(-1, 28, 28, 1)
    for k in (0, 2):
        n, h, w, c = x.shape
        x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = jnp.concatenate([x[:, i : i + h, j : j + w] for i in range(3) for j in range(3)], -1)
        x = x.reshape(-1, 9 * c) @ params[k] + params[k + 1]
        x = jnp.maximum(x.reshape(n, h // 2, 2, w // 2, 2, -1).max((2, 4)), 0)
    return x.reshape(x.shape[0], -1) @ params[4] + params[5]


def cnn_init(rng):
    return dense_init((9, 16), rng) + dense_init((9 * 16, 32), rng) + dense_init((7 * 7 * 32, 10), rng)


def encoder(length, units, heads, inner, vocabulary, blocks):
    """A transformer encoder, the norm behind, with token and position embeddings, a mask and mean pooling: forward, init, data."""

    def norm(x, scale, shift):
        x = x - x.mean(-1, keepdims=True)
        return x / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * scale + shift

    def forward(params, x):
        p = iter(params)
        ids, mask = x
        dense = lambda x: x @ next(p) + next(p)
        m = mask.astype(jnp.float32)
        bias = ((m - 1) * 1e9)[:, None, None, :]
        x = norm(next(p)[ids] + next(p), next(p), next(p))
        split = lambda y: y.reshape(*y.shape[:2], heads, units // heads)
        for _ in range(blocks):
            q, k, v = split(dense(x)), split(dense(x)), split(dense(x))
            scores = jnp.einsum("bqhd,bkhd->bhqk", q * (units // heads) ** -0.5, k)
            y = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores + bias), v).reshape(x.shape)
            x = norm(x + dense(y), next(p), next(p))
            x = norm(x + dense(jax.nn.gelu(dense(x))), next(p), next(p))
        pool = (x * m[..., None]).sum(1) / jnp.maximum(m.sum(1, keepdims=True), 1e-9)
        return dense(pool)

    def init(rng):
        f = lambda *shape: (rng.normal(size=shape) * 0.02).astype(np.float32)
        ln = lambda: [np.ones(units, np.float32), np.zeros(units, np.float32)]
        out = [f(vocabulary, units), f(length, units), *ln()]
        for _ in range(blocks):
            out += dense_init((units, units), rng) + dense_init((units, units), rng) + dense_init((units, units), rng)
            out += dense_init((units, units), rng) + ln()
            out += dense_init((units, inner), rng) + dense_init((inner, units), rng) + ln()
        return out + dense_init((units, 2), rng)

    def data(rng, rows):
        return rng.integers(1, vocabulary, (rows, length)).astype(np.int32), np.ones((rows, length), np.int32)

    return forward, init, data


def features(width):
    return lambda rng, rows: rng.normal(size=(rows, width)).astype(np.float32)


# name: forward, init, data, classes, batch, steps of an epoch
MODELS = {
    "64-128-64-10": (mlp, lambda rng: dense_init((64, 128, 64, 10), rng), features(64), 10, 64, 256),
    "784-256-10": (mlp, lambda rng: dense_init((784, 256, 10), rng), features(784), 10, 128, 256),
    "cnn": (cnn, cnn_init, features(784), 10, 32, 16),
    "encoder": (*encoder(64, 128, 4, 512, 1000, 2), 2, 16, 16),
    "bert-tiny": (*encoder(128, 128, 2, 512, 30522, 2), 2, 16, 8),
    "minilm": (*encoder(128, 384, 12, 1536, 30522, 6), 2, 16, 2),
}


def step_of(forward):
    def loss_of(params, x, y):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(forward(params, x)), y[:, None], 1))

    def step(state, x, y):
        params, m, v, t, total = state
        loss, grads = jax.value_and_grad(loss_of)(params, x, y)
        t = t + 1
        m = [0.9 * a + 0.1 * g for a, g in zip(m, grads)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grads)]
        c1, c2 = 1 / (1 - 0.9**t), 1 / (1 - 0.999**t)
        params = [p - 1e-3 * (a * c1) / (jnp.sqrt(b * c2) + 1e-8) for p, a, b in zip(params, m, v)]
        return params, m, v, t, total + loss

    return jax.jit(step, donate_argnums=0)


def main(seconds, only):
    for name, (forward, init, data, classes, batch, steps) in MODELS.items():
        if only not in name:
            continue
        rng = np.random.default_rng(1)
        rows = batch * steps
        x = data(rng, rows)
        y = rng.integers(0, classes, rows).astype(np.int32)
        params = [jnp.asarray(p) for p in init(rng)]
        state = (params, [jnp.zeros_like(p) for p in params], [jnp.zeros_like(p) for p in params], jnp.float32(0), jnp.float32(0))
        step = step_of(forward)
        best, end = None, None
        while end is None or time.perf_counter() < end:
            start = time.perf_counter()
            order = rng.permutation(rows)
            for at in range(0, rows, batch):
                take = order[at : at + batch]
                state = step(state, jax.tree.map(lambda a: a[take], x), y[take])
            float(state[4])
            took = time.perf_counter() - start
            if end is None:  # the first epoch compiles
                end = time.perf_counter() + seconds
            else:
                best = took if best is None else min(best, took)
        print(f"{name} jax-ms/step {best * 1e3 / steps:.4f}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2, sys.argv[2] if len(sys.argv) > 2 else "")
