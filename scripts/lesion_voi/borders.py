"""Where an image ends within a cube, drawn so that it says nothing of the lesion."""
import torch

from .network import SIDE


def borders(rng, click):
    """Where there is image: ended at a random plane on some sides, anywhere between the click and the end of the cube.

    What lies beyond the true end of a patient's image is filled with its reflection and counts as image here, though not for
    the loss: so where the network sees an image end says nothing of the tumour, though the patients' images are cut round it.
    """
    inside = torch.ones((SIDE,) * 3)
    if rng.random() < 0.5:
        return inside
    for axis in range(3):
        for side in (0, 1):
            if rng.random() < 0.4:
                edge = int(click[axis])
                if side:
                    end = int(rng.integers(min(edge + 2, SIDE), SIDE + 1))
                    inside.narrow(axis, end, SIDE - end).zero_()
                else:
                    inside.narrow(axis, 0, int(rng.integers(0, max(edge - 1, 1)))).zero_()
    return inside
