"""Training in JAX, jitted, with donated buffers, for the models of training_models.py: short epochs, smallest time a step.

Shuffled rows are gathered on the host and fed to every step; the loss is summed on the device and read once an epoch, as mbuild
does. The convolutional network is slices and one product, pooled by reshape, which on a CPU is faster in JAX, too, than its own
convolution. Run by testdata/bench/xla.sh.
"""
import jax
import jax.numpy as jnp

import training_models as models


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


def encoder(e):
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
        split = lambda y: y.reshape(*y.shape[:2], e.heads, e.units // e.heads)
        for _ in range(e.blocks):
            q, k, v = split(dense(x)), split(dense(x)), split(dense(x))
            scores = jnp.einsum("bqhd,bkhd->bhqk", q * (e.units // e.heads) ** -0.5, k)
            y = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores + bias), v).reshape(x.shape)
            x = norm(x + dense(y), next(p), next(p))
            x = norm(x + dense(jax.nn.gelu(dense(x))), next(p), next(p))
        pool = (x * m[..., None]).sum(1) / jnp.maximum(m.sum(1, keepdims=True), 1e-9)
        return dense(pool)

    return forward


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


def trainer(model, params, x, y):
    forward = {models.MLP: lambda m: mlp, models.CNN: lambda m: cnn, models.Encoder: encoder}[type(model)](model)
    run = step_of(forward)
    params = [jnp.asarray(p) for p in params]
    state = (params, [jnp.zeros_like(p) for p in params], [jnp.zeros_like(p) for p in params], jnp.float32(0), jnp.float32(0))

    def step(rows):
        nonlocal state
        state = run(state, jax.tree.map(lambda a: a[rows], x), y[rows])

    return step, lambda: float(state[4])


if __name__ == "__main__":
    models.main("jax-ms/step", trainer)
