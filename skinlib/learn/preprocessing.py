"""From a photo to what ResNet50 takes: resized to a square, in the order and about the means it was trained with.

Introduced in chapter 2, Preprocessing.
"""

import numpy as np

from skinlib.learn.engines import tf

SIZE = 224
"""Side of the square that the network sees, in pixels."""
MEANS_BGR = (103.939, 116.779, 123.68)
"""ImageNet's mean blue, green and red, on the scale 0 to 255, which ResNet50's first authors subtracted."""


def prepare(photo: np.ndarray) -> np.ndarray:
    """Resize one photo, uint8 (H, W, 3), to float32 (224, 224, 3), as the model's own ``resize`` layer does.

    Where it shrinks, a new pixel is the mean of all that it covers and of its neighbours' halves, weighted by a
    triangle: no pixel of a large photo is passed over, so the photo and its smaller copies look alike to the network.
    Where it enlarges, this is bilinear interpolation. Equal to Pillow's ``BILINEAR`` on 32-bit channels (mode "F").
    """
    return tf.image.resize(photo, (SIZE, SIZE), method="bilinear", antialias=True).numpy()


def preprocess(photos: np.ndarray) -> np.ndarray:
    """ResNet50's ImageNet preprocessing, by hand: swap red and blue, subtract ImageNet's mean of each channel.

    ``photos`` is uint8 or float, (…, 3), RGB, 0 to 255. Returns float32 of the same shape, BGR, mean-subtracted.
    Equal to ``keras.applications.resnet50.preprocess_input``; the original authors of ResNet (He et al., 2016)
    trained in Caffe, which reads BGR.
    """
    return photos[..., ::-1].astype(np.float32) - np.array(MEANS_BGR, np.float32)
