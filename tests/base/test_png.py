import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from replicate.base.images import encode_png

shapes = st.one_of(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)),
)


@given(hnp.arrays(np.uint8, shapes), st.integers(1, 9))
def test_pillow_reads_what_we_write(pixels, level):
    image = Image.open(io.BytesIO(encode_png(pixels, level)))
    assert image.mode == ("L" if pixels.ndim == 2 else "RGB")
    assert image.info == {}
    assert np.array_equal(np.asarray(image), pixels)


def test_slices_of_other_arrays_are_written_too():
    pixels = np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(20, 30)[::2, ::-3]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels)))), pixels)


@pytest.mark.parametrize("shape", [(4,), (4, 4, 4), (0, 4), (4, 4, 3, 1)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match="shape"):
        encode_png(np.zeros(shape, dtype=np.uint8))
