"""Ten classes in one pass: handwritten digits of 8 x 8 pixels.

You learn how to train a classifier, and how to score it on rows that are held out. What comes out is the accuracy by
epoch, the digits that are most often taken for each other, and build/examples/digits_classifier.png: the weights of the
ten models as images (a blue pixel speaks for the digit, a red one against it). The data come with scikit-learn.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import zipsgd

epochs = 5 if "--small" in sys.argv else 30
table = zipsgd.load("digits")
result = zipsgd.train(table, classify=True, epochs=epochs, measure=True, validation=0.2)

print("epoch  accuracy in training  on rows held out")
for epoch, scores in enumerate(zip(result.scores, result.validation_scores, strict=True), 1):
    print(f"{epoch:5}  {scores[0]:20.4f}  {scores[1]:16.4f}")
print(f"{result.bits_per_value} bits a value, {result.held_out} rows held out")

true, predicted = table.labels.astype(int), result.predict(table.features).astype(int)
confused = np.zeros((10, 10), dtype=int)
np.add.at(confused, (true, predicted), true != predicted)
for place in np.argsort(confused, axis=None)[:-4:-1]:
    print(f"{place // 10} taken for {place % 10}: {confused.flat[place]} times")

weights = np.array(result.coef).reshape(10, 8, 8)
limit = np.abs(weights).max()
figure = Figure(figsize=(10, 4.4), layout="constrained")
for digit, axes in enumerate(figure.subplots(2, 5).flat):
    axes.imshow(weights[digit], cmap="RdBu", vmin=-limit, vmax=limit)
    axes.set(title=f"model of {digit}", xticks=[], yticks=[])
path = Path("build/examples/digits_classifier.png")
path.parent.mkdir(parents=True, exist_ok=True)
figure.savefig(path, dpi=120)
print("wrote", path)
