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


# name: forward, init, numbers in a row, batch, steps of an epoch
MODELS = {
    "64-128-64-10": (mlp, lambda rng: dense_init((64, 128, 64, 10), rng), 64, 64, 256),
    "784-256-10": (mlp, lambda rng: dense_init((784, 256, 10), rng), 784, 128, 256),
    "cnn": (cnn, cnn_init, 784, 32, 16),
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


def main(seconds):
    for name, (forward, init, width, batch, steps) in MODELS.items():
        rng = np.random.default_rng(1)
        rows = batch * steps
        x = rng.normal(size=(rows, width)).astype(np.float32)
        y = rng.integers(0, 10, rows).astype(np.int32)
        params = [jnp.asarray(p) for p in init(rng)]
        state = (params, [jnp.zeros_like(p) for p in params], [jnp.zeros_like(p) for p in params], jnp.float32(0), jnp.float32(0))
        step = step_of(forward)
        best, end = None, None
        while end is None or time.perf_counter() < end:
            start = time.perf_counter()
            order = rng.permutation(rows)
            for at in range(0, rows, batch):
                take = order[at : at + batch]
                state = step(state, x[take], y[take])
            float(state[4])
            took = time.perf_counter() - start
            if end is None:  # the first epoch compiles
                end = time.perf_counter() + seconds
            else:
                best = took if best is None else min(best, took)
        print(f"{name} jax-ms/step {best * 1e3 / steps:.4f}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2)
