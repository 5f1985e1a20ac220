"""Writes optax.json: what optax does to two parameters in six steps of given gradients, and its schedules.

    pip install optax==0.2.8 'jax[cpu]==0.10.2' && python optax_reference.py > optax.json
"""
import json, os
os.environ["JAX_PLATFORMS"] = "cpu"
import jax, numpy as np, optax
import jax.numpy as jnp

STEPS, LR = 6, 0.05
rng = np.random.default_rng(7)
init = {"weight": rng.normal(size=(4, 3)).astype(np.float32), "bias": rng.normal(size=(3,)).astype(np.float32)}
grads = [{k: (rng.normal(size=v.shape) * 10.0 ** rng.integers(-3, 2)).astype(np.float32) for k, v in init.items()} for _ in range(STEPS)]


def coupled(tx, wd):
    return optax.chain(optax.add_decayed_weights(wd), tx)


def adafactor(factor_from, scale, wd, clip=1.0):
    parts = [optax.scale_by_factored_rms(factored=True, decay_rate=0.8, min_dim_size_to_factor=factor_from, epsilon=1e-30)]
    if clip:
        parts.append(optax.clip_by_block_rms(clip))
    if scale:
        parts.append(optax.scale_by_param_block_rms())
    return optax.chain(*parts, optax.add_decayed_weights(wd), optax.scale_by_learning_rate(LR))


def lamb(wd):
    return optax.lamb(LR, b1=0.9, b2=0.99, eps=1e-6, weight_decay=wd)


cases = [
    ({"type": "sgd", "weight_decay": 0.1}, coupled(optax.sgd(LR), 0.1)),
    ({"type": "momentum", "momentum": 0.9, "weight_decay": 0.1}, coupled(optax.sgd(LR, momentum=0.9), 0.1)),
    ({"type": "nesterov", "momentum": 0.9, "weight_decay": 0.1}, coupled(optax.sgd(LR, momentum=0.9, nesterov=True), 0.1)),
    ({"type": "adam", "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weight_decay": 0.1}, coupled(optax.adam(LR, 0.9, 0.99, 1e-8), 0.1)),
    ({"type": "adamw", "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weight_decay": 0.1}, optax.adamw(LR, 0.9, 0.99, 1e-8, weight_decay=0.1)),
    ({"type": "lamb", "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-6, "weight_decay": 0.1}, lamb(0.1)),
    ({"type": "lion", "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1}, optax.lion(LR, 0.9, 0.99, weight_decay=0.1)),
    ({"type": "rmsprop", "decay": 0.9, "epsilon": 1e-3}, optax.rmsprop(LR, decay=0.9, eps=1e-3, eps_in_sqrt=False)),
    ({"type": "rmsprop", "decay": 0.9, "epsilon": 1e-3, "momentum": 0.9}, optax.rmsprop(LR, decay=0.9, eps=1e-3, eps_in_sqrt=False, momentum=0.9)),
    ({"type": "adafactor", "decay": 0.8, "epsilon": 1e-30, "clip_threshold": 1, "factor_from": 2, "scale_parameter": True, "weight_decay": 0.1}, adafactor(2, True, 0.1)),
    ({"type": "adafactor", "decay": 0.8, "epsilon": 1e-30, "clip_threshold": 0, "factor_from": 128, "scale_parameter": False}, adafactor(128, False, 0.0, 0)),
]


def run(tx):
    params = jax.tree.map(jnp.asarray, init)
    state = tx.init(params)
    out = []
    for g in grads:
        updates, state = tx.update(jax.tree.map(jnp.asarray, g), state, params)
        params = optax.apply_updates(params, updates)
        out.append(flat(params))
    return out


def flat(p):
    return {k: [float(x) for x in np.asarray(v).ravel()] for k, v in p.items()}


N, EPOCHS = 10, 6  # steps of an epoch, epochs
T = N * EPOCHS
schedules = [
    ({"type": "constant", "warmup_steps": 5}, lambda t: optax.linear_schedule(0, 1, 5)(min(t + 1, 5))),
    ({"type": "step", "every": 2, "factor": 0.5}, optax.exponential_decay(1, 2 * N, 0.5, staircase=True)),
    ({"type": "exponential", "factor": 0.8}, optax.exponential_decay(1, N, 0.8)),
    ({"type": "cosine", "final": 0.1, "epochs": EPOCHS}, optax.cosine_decay_schedule(1, T, 0.1)),
    ({"type": "cosine", "final": 0.1, "epochs": EPOCHS, "warmup_epochs": 1}, lambda t: (t + 1) / N if t < N else optax.cosine_decay_schedule(1, T - N, 0.1)(t - N)),
    ({"type": "linear", "final": 0.2, "epochs": EPOCHS}, optax.linear_schedule(1, 0.2, T)),
    ({"type": "polynomial", "final": 0.2, "power": 3, "epochs": EPOCHS}, optax.polynomial_schedule(1, 0.2, 3, T)),
    ({"type": "one_cycle", "start": 0.04, "rise": 0.3, "final": 4e-6, "epochs": EPOCHS}, optax.cosine_onecycle_schedule(T, 1, 0.3, 25, 1e4)),
    ({"type": "wsd", "shape": "linear", "final": 0.1, "decay_epochs": 2, "decay": 1}, lambda t: optax.linear_schedule(1, 0.1, 2 * N)(N + t)),
]
print(json.dumps({
    "optax": optax.__version__, "jax": jax.__version__, "lr": LR, "init": flat(init), "grads": [flat(g) for g in grads],
    "cases": [{"optimizer": dict(o, lr=LR), "params": run(tx)} for o, tx in cases],
    "steps_per_epoch": N,
    "schedules": [{"schedule": s, "factors": [float(f(t)) for t in range(N if "decay" in s else T)]} for s, f in schedules],
}))
