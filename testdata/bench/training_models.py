"""What jax_training.py and torch_training.py share: the models of BenchmarkRatio in stdlib/learn, their data, and the loop that takes
the time. Needs numpy alone, so that both train the same weights on the same batches."""
import sys
import time
from typing import NamedTuple

import numpy as np


class MLP(NamedTuple):
    """Dense layers with relu between them. Parameters: weight [in, out] and bias of each."""

    widths: tuple

    def init(self, rng):
        return dense_init(self.widths, rng)

    def data(self, rng, rows):
        return rng.normal(size=(rows, self.widths[0])).astype(np.float32)


class CNN(NamedTuple):
    """28x28x1, 3x3x16, pool, 3x3x32, pool, dense 10. Weights of a convolution are [3 * 3 * in, out], features are in the order NHWC."""

    def init(self, rng):
        return dense_init((9, 16), rng) + dense_init((9 * 16, 32), rng) + dense_init((7 * 7 * 32, 10), rng)

    def data(self, rng, rows):
        return rng.normal(size=(rows, 784)).astype(np.float32)


class Encoder(NamedTuple):
    """A transformer encoder, the norm behind, with token and position embeddings, a mask and mean pooling, two classes."""

    length: int
    units: int
    heads: int
    inner: int
    vocabulary: int
    blocks: int

    def init(self, rng):
        """Embeddings of tokens and positions, norm; of a block q, k, v, out, norm, inner, outer, norm; the head."""
        f = lambda *shape: (rng.normal(size=shape) * 0.02).astype(np.float32)
        units, inner = self.units, self.inner
        norm = lambda: [np.ones(units, np.float32), np.zeros(units, np.float32)]
        out = [f(self.vocabulary, units), f(self.length, units), *norm()]
        for _ in range(self.blocks):
            for _ in "qkvo":
                out += dense_init((units, units), rng)
            out += norm() + dense_init((units, inner), rng) + dense_init((inner, units), rng) + norm()
        return out + dense_init((units, 2), rng)

    def data(self, rng, rows):
        shape = rows, self.length
        return rng.integers(1, self.vocabulary, shape).astype(np.int32), np.ones(shape, np.int32)


def dense_init(widths, rng):
    params = []
    for i, o in zip(widths, widths[1:]):
        limit = np.sqrt(6 / (i + o))
        params += [rng.uniform(-limit, limit, (i, o)).astype(np.float32), np.zeros(o, np.float32)]
    return params


# name: model, classes, batch, steps of an epoch
MODELS = {
    "64-128-64-10": (MLP((64, 128, 64, 10)), 10, 64, 256),
    "784-256-10": (MLP((784, 256, 10)), 10, 128, 256),
    "cnn": (CNN(), 10, 32, 16),
    "encoder": (Encoder(64, 128, 4, 512, 1000, 2), 2, 16, 16),
    "bert-tiny": (Encoder(128, 128, 2, 512, 30522, 2), 2, 16, 8),
    "minilm": (Encoder(128, 384, 12, 1536, 30522, 6), 2, 16, 2),
}


def main(label, trainer):
    """Trains each model whose name contains the second argument of the command line for as many seconds as the first says, and prints
    its name, label, the smallest time of a step in milliseconds, and the mean loss of the first epoch, which is not timed.

    trainer(model, params, x, y) returns step(rows), which queues a training step on these rows, and total(), which waits for all steps
    and returns the sum of their losses. It is called once an epoch, as mbuild reads the loss. Rows are shuffled before each epoch.
    """
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    for name, (model, classes, batch, steps) in MODELS.items():
        if only not in name:
            continue
        rng = np.random.default_rng(1)
        rows = batch * steps
        x = model.data(rng, rows)
        y = rng.integers(0, classes, rows).astype(np.int32)
        step, total = trainer(model, model.init(rng), x, y)
        best, end = None, None
        while best is None or time.perf_counter() < end:
            start = time.perf_counter()
            order = rng.permutation(rows)
            for at in range(0, rows, batch):
                step(order[at : at + batch])
            sum_of_losses = total()
            took = time.perf_counter() - start
            if end is None:  # the first epoch compiles
                loss = sum_of_losses / steps
                end = time.perf_counter() + seconds
            else:
                best = took if best is None else min(best, took)
        print(f"{name} {label} {best * 1e3 / steps:.4f} loss {loss:.5f}", flush=True)
