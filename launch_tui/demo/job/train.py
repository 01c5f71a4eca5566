"""Train a small neural network on handwritten digits and log every epoch to wandb.

An ordinary training script that knows nothing of launch_tui: run it by itself with
``pip install -r requirements.txt && python train.py``. The data comes with scikit-learn.
"""

from __future__ import annotations

import os

# The matrices are so small that a second thread costs more than it gives, and trainings side by
# side would take each other's cores. To be set before numpy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import wandb
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from tqdm import tqdm

DEFAULTS = {
    "epochs": 30,
    "batch_size": 16,
    "hidden_size": 64,
    "learning_rate": 0.001,
    "weight_decay": 0.0001,
    "noise": 0.1,
    "seed": 0,
}
SHIFTS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]


def main() -> None:
    """Train with the configuration that wandb holds, from the defaults to what a launch set."""
    with wandb.init(config=DEFAULTS) as run:
        config = run.config
        train, validation = load_data(config.seed)
        model = MLPClassifier(
            hidden_layer_sizes=(config.hidden_size,),
            learning_rate_init=config.learning_rate,
            alpha=config.weight_decay,
            batch_size=config.batch_size,
            random_state=config.seed,
        )
        print(f"{len(train[1])} images to train on, {len(validation[1])} to validate on")
        random = np.random.default_rng(config.seed)
        best = 0.0
        for epoch in tqdm(range(1, config.epochs + 1), unit="epoch"):
            images, labels = train
            noisy = images + random.normal(0, config.noise, images.shape).astype(np.float32)
            model.partial_fit(noisy, labels, classes=np.arange(10))
            row = {"train": evaluate(model, *train), "val": evaluate(model, *validation)}
            run.log({"epoch": epoch, **row})
            best = max(best, row["val"]["accuracy"])
            print(
                f"epoch {epoch:3d}  loss {row['train']['loss']:.4f}  "
                f"val loss {row['val']['loss']:.4f}  val accuracy {row['val']['accuracy']:.4f}",
                flush=True,
            )
        run.summary["best_accuracy"] = best
        print(f"best validation accuracy {best:.4f}")


Images = tuple[np.ndarray, np.ndarray]


def load_data(seed: int) -> tuple[Images, Images]:
    """Return images and labels to train on, each image also moved by one pixel, and to validate."""
    digits = load_digits()
    images = digits.images.astype(np.float32) / 16
    train, validation, train_labels, labels = train_test_split(
        images, digits.target, test_size=0.25, random_state=seed, stratify=digits.target
    )
    moved = np.concatenate([np.roll(train, shift, axis=(1, 2)) for shift in SHIFTS])
    flat = moved.reshape(len(moved), -1)
    return (
        (flat, np.tile(train_labels, len(SHIFTS))),
        (validation.reshape(len(validation), -1), labels),
    )


def evaluate(model: MLPClassifier, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the mean cross-entropy and the share of images told right."""
    probabilities = model.predict_proba(images)
    return {
        "loss": float(log_loss(labels, probabilities, labels=range(10))),
        "accuracy": float(np.mean(probabilities.argmax(axis=1) == labels)),
    }


if __name__ == "__main__":
    main()
