"""The usual way with photos in Keras: a frozen backbone in the graph, augmentation, `fit`.

    python keras_transfer.py FOLDER BACKBONE.keras SEED [--each-epoch]

FOLDER holds train/ and test/ with a folder per class. Pictures are decoded anew in each epoch by
`image_dataset_from_directory`, turned and mirrored by an augmentation layer, and go through the
frozen backbone each time; a dense softmax layer is trained for 10 epochs with Adam, as in Keras's
own guide to transfer learning. With --each-epoch, the test part is evaluated after each one too;
what that takes is printed, and is no part of the seconds of `fit`.
"""

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from keras import layers

EPOCHS, BATCH_SIZE, SIZE = 10, 32, (224, 224)


class EachEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Prints the seconds of `fit` so far and the test accuracy.

    Attributes:
        aside: seconds that these evaluations took.
    """

    def __init__(self, test: object) -> None:
        super().__init__()
        self.test = test
        self.began = time.monotonic()
        self.aside = 0.0

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:  # noqa: D102
        ended = time.monotonic()
        _, accuracy = self.model.evaluate(self.test, verbose=0)
        seconds = ended - self.began - self.aside
        print(f"epoch {epoch + 1}: {seconds:.1f} s, test accuracy {accuracy:.4f}")
        self.aside += time.monotonic() - ended


def main(folder: str, backbone_file: str, seed: int, each_epoch: bool = False) -> None:
    keras.utils.set_random_seed(seed)
    options = {"image_size": SIZE, "batch_size": BATCH_SIZE, "seed": seed}
    train = keras.utils.image_dataset_from_directory(f"{folder}/train", **options)
    test = keras.utils.image_dataset_from_directory(f"{folder}/test", shuffle=False, **options)
    classes = len(train.class_names)
    backbone = keras.models.load_model(backbone_file, compile=False)
    backbone.trainable = False
    pixels = keras.Input((*SIZE, 3))
    augmented = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])(
        pixels
    )
    features = backbone(augmented, training=False)
    model = keras.Model(pixels, layers.Dense(classes, activation="softmax")(features))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    watch = EachEpoch(test.prefetch(2))
    callbacks = [watch] if each_epoch else []
    history = model.fit(train.prefetch(2), epochs=EPOCHS, callbacks=callbacks, verbose=0)
    seconds = time.monotonic() - watch.began - watch.aside
    _, accuracy = model.evaluate(test.prefetch(2), verbose=0)
    print(
        f"training accuracy {history.history['accuracy'][-1]:.4f}  test accuracy {accuracy:.4f}  "
        f"fit {seconds:.1f} s, evaluated beside it {watch.aside:.1f} s"
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), "--each-epoch" in sys.argv)
