import pytest

from explainkit.cli.shell import UsageError
from explainkit.cli.sources import parse_size


@pytest.mark.parametrize("text", ["", "0", "12x", "12x0", "ax3", "-3"])
def test_sizes_that_are_none(text):
    with pytest.raises(UsageError, match="give HEIGHTxWIDTH"):
        parse_size(text)
