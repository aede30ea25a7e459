"""Training a network, and telling how it goes."""

from tellapart.tensorflow_variables import set_defaults

set_defaults()  # modules of this package import Keras, and with it TensorFlow, at their top
