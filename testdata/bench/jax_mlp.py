"""An epoch of training in JAX, jitted, with donated buffers, for the models of BenchmarkEpoch in stdlib/learn.

Shuffled rows are gathered on the host and fed to every step; the loss is summed on the device and read once an epoch, as
mbuild does. Needs jax: testdata/bench/install.sh. Run: python testdata/bench/jax_mlp.py
"""
import time

import jax
import jax.numpy as jnp
import numpy as np

MODELS = {
    "64-128-64-10": ((64, 128, 64, 10), 64, 64 * 600),
    "784-256-10": ((784, 256, 10), 128, 128 * 150),
}


def init(widths, rng):
    params = []
    for i, o in zip(widths, widths[1:]):
        limit = np.sqrt(6 / (i + o))
        params += [rng.uniform(-limit, limit, (i, o)).astype(np.float32), np.zeros(o, np.float32)]
    return params


def loss_of(params, x, y):
    for k in range(0, len(params), 2):
        x = x @ params[k] + params[k + 1]
        if k + 2 < len(params):
            x = jnp.maximum(x, 0)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1))


def step(state, x, y):
    params, m, v, t, total = state
    loss, grads = jax.value_and_grad(loss_of)(params, x, y)
    t = t + 1
    m = [0.9 * a + 0.1 * g for a, g in zip(m, grads)]
    v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grads)]
    c1, c2 = 1 / (1 - 0.9**t), 1 / (1 - 0.999**t)
    params = [p - 1e-3 * (a * c1) / (jnp.sqrt(b * c2) + 1e-8) for p, a, b in zip(params, m, v)]
    return params, m, v, t, total + loss


def main():
    for name, (widths, batch, rows) in MODELS.items():
        rng = np.random.default_rng(1)
        x = rng.normal(size=(rows, widths[0])).astype(np.float32)
        y = rng.integers(0, 10, rows).astype(np.int32)
        params = [jnp.asarray(p) for p in init(widths, rng)]
        zeros = lambda: [jnp.zeros_like(p) for p in params]
        state = (params, zeros(), zeros(), jnp.float32(0), jnp.float32(0))
        jitted = jax.jit(step, donate_argnums=0)
        times = []
        for _ in range(9):
            start = time.perf_counter()
            order = rng.permutation(rows)
            for at in range(0, rows, batch):
                take = order[at : at + batch]
                state = jitted(state, x[take], y[take])
            float(state[4])
            times.append(time.perf_counter() - start)
        times = sorted(times[1:])  # the first compiles
        print(f"{name}: epoch of {rows // batch} steps: smallest {times[0] * 1e3:.0f} ms, median {times[len(times) // 2] * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
