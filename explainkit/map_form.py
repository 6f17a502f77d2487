"""How a layer's output is read as a map: which axes are spatial, or which tokens are cells."""

import math
from collections.abc import Sequence
from typing import Any

import attrs

from explainkit.engines.base import Tensor
from explainkit.engines.callable_key import CallableKey

#: Class and register tokens of known transformers are one to some; 16 are more than any has.
_MOST_EXTRA_TOKENS = 16

#: The sizes of spatial axes; None where one is not known yet.
Sizes = tuple[int | None, ...]


@attrs.frozen
class MapForm:
    """The way from an output, without the documents' axis, to the cells of a map.

    Attributes
    ----------
    sizes : tuple of (int or None)
        The sizes of the map's axes: (height, width) for pictures, one for signals,
        three for volumes. Empty where `reshape` alone knows.
    channels_first : bool
        Whether the channels come before the spatial axes, or before the tokens.
    extra_tokens : int or None
        How many tokens, of the class and registers, come before those of the cells;
        None where the axes are spatial already.
    reshape : CallableKey or None
        What somebody gave to fold an output, shape (N, ...), to (N, ..., C).
    """

    sizes: Sizes
    channels_first: bool = False
    extra_tokens: int | None = None
    reshape: CallableKey | None = None

    def fold(self, xp: Any, tensor: Tensor, leading: int) -> Tensor:
        """Give a tensor the map's axes and, behind them, the channels.

        Parameters
        ----------
        xp
            A namespace of array functions under numpy's names.
        tensor : tensor
            Of the output's shape behind the leading axes.
        leading : {1, 2}
            The number of axes before those of the output: of documents, and of targets.

        Returns
        -------
        tensor
            With the same leading axes.
        """
        if self.reshape is not None:
            return self._fold_by_call(xp, tensor, leading)
        if self.channels_first:
            order = list(range(len(tensor.shape)))
            order.append(order.pop(leading))
            tensor = xp.transpose(tensor, order)
        if self.extra_tokens is None:
            return tensor
        cells = tensor[(slice(None),) * leading + (slice(self.extra_tokens, None),)]
        # The number of documents may be open, that of targets is not.
        between = tuple(tensor.shape[1:leading])
        return xp.reshape(cells, (-1, *between, *self.sizes, tensor.shape[-1]))

    def unfold(self, xp: Any, tensor: Tensor) -> Tensor:
        """Give a tensor, shape (N, ..., C), the order of axes of an output that is a map."""
        if not self.channels_first:
            return tensor
        order = list(range(len(tensor.shape)))
        order.insert(1, order.pop())
        return xp.transpose(tensor, order)

    def channel_axis(self, rank: int) -> int:
        """Tell which axis of an output, of so many axes, counts the channels.

        Raises
        ------
        ValueError
            If somebody's function alone knows.
        """
        if self.reshape is not None:
            raise ValueError(
                "reshape is a callable, which does not tell the channels of the layer's output; "
                "give the grid of its tokens as (height, width)"
            )
        return 1 if self.channels_first else rank - 1

    def _fold_by_call(self, xp: Any, tensor: Tensor, leading: int) -> Tensor:
        reshape: Any = self.reshape and self.reshape.get()
        between = tuple(tensor.shape[1:leading])
        folded = reshape(xp.reshape(tensor, (-1, *tensor.shape[leading:])))
        if len(folded.shape) < 3:
            raise ValueError(
                f"reshape gives a tensor of shape {tuple(folded.shape)}; give one of shape "
                "(N, height, width, channels)"
            )
        return xp.reshape(folded, (-1, *between, *folded.shape[1:]))


def form_of(
    shape: Sizes | None,
    channels_first: bool,
    sources: Sequence[Sizes],
    earlier: Sequence[Sizes] = (),
) -> MapForm | None:
    """Tell how an output can be read as a map.

    Parameters
    ----------
    shape : tuple of (int or None), or None
        The output's, without the documents' axis; None where it is no tensor.
    channels_first : bool
        Whether the layer puts the channels before the spatial axes.
    sources : sequence of sizes
        The sizes of the spatial axes of each input that the output is made of: two
        for a picture, none for words or plain features.
    earlier : sequence of sizes
        The maps that ran before: tokens are often cells of one of them.

    Returns
    -------
    MapForm or None
        None where the output is no map.

    Examples
    --------
    >>> form_of((7, 7, 1280), False, [(224, 224)]).sizes
    (7, 7)
    >>> form_of((197, 768), False, [(224, 224)], [(14, 14)])
    MapForm(sizes=(14, 14), channels_first=False, extra_tokens=1, reshape=None)
    """
    axes = len(shape or ()) - 1
    ranks = {len(sizes) for sizes in sources}
    if shape is None or axes < 1 or axes > 3 or not ranks:
        return None
    if axes == 2 or axes in ranks or (axes == 1 and ranks == {0}):
        return MapForm(shape[1:] if channels_first else shape[:-1], channels_first)
    if axes == 1 and ranks == {2}:
        return _form_of_tokens(shape, sources, earlier)
    return None


def given_form(shape: Sizes | None, reshape: Any) -> MapForm:
    """Read an output as somebody says: ``reshape=(height, width)``, or a callable.

    Raises
    ------
    TypeError, ValueError
        If the output cannot be read that way.
    """
    if callable(reshape):
        return MapForm((), reshape=CallableKey(reshape))
    if not _are_sizes(reshape):
        raise TypeError(
            f"reshape is {reshape!r}; give the grid of the tokens as (height, width), or a "
            "callable from an output, shape (N, ...), to (N, height, width, channels)"
        )
    cells = math.prod(reshape)
    tokens = None if shape is None or len(shape) != 2 else shape[0]
    if tokens is None or tokens < cells:
        raise ValueError(
            f"reshape={tuple(reshape)} takes {cells} tokens; the layer's output has the shape "
            f"{shape} for each doc"
        )
    return MapForm(tuple(int(size) for size in reshape), extra_tokens=tokens - cells)


def _are_sizes(value: Any) -> bool:
    return (
        isinstance(value, tuple | list)
        and 1 <= len(value) <= 3
        and all(isinstance(size, int) and size > 0 for size in value)
    )


def _form_of_tokens(
    shape: Sizes, sources: Sequence[Sizes], earlier: Sequence[Sizes]
) -> MapForm | None:
    # Tokens before channels, as transformers have them; else the other way round.
    for count, channels_first in ((shape[0], False), (shape[1], True)):
        grid = None if count is None else _grid_of(count, sources, earlier)
        if grid is not None and count is not None:
            extra = count - math.prod(size or 0 for size in grid)
            return MapForm(grid, channels_first, extra)
    return None


def _grid_of(count: int, sources: Sequence[Sizes], earlier: Sequence[Sizes]) -> Sizes | None:
    most = min(_MOST_EXTRA_TOKENS, count // 2)
    known = [sizes for sizes in earlier if None not in sizes]
    for extra in range(most + 1):
        alike = [
            sizes for sizes in known if math.prod(map(int, filter(None, sizes))) == count - extra
        ]
        if alike:
            return alike[-1]
    # Where there were maps, other grids are of merged patches, without more tokens: the
    # steps of a caption would pass for patches and some tokens too easily.
    for extra in range(1 if known else most + 1):
        for height, width in (sizes for sizes in sources if len(sizes) == 2):
            grid = _patches(count - extra, height, width)
            if grid is not None:
                return grid
    return None


def _patches(cells: int, height: int | None, width: int | None) -> Sizes | None:
    """Cut a picture into so many square patches, if that can be done."""
    if not height or not width:
        return None
    rows = math.isqrt(cells * height // width)
    if rows > 1 and rows * rows * width == cells * height and height % rows == 0:
        return rows, cells // rows
    return None
