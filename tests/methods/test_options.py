import attrs
import numpy as np
import pytest

from explainkit.methods.options import flag, not_negative, one_of, share, whole_number

NAN, INF = float("nan"), float("inf")


def given(check, value):
    @attrs.frozen
    class Asking:
        option: object = attrs.field(validator=check)

    return Asking(value).option


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (whole_number(1), 1),
        (whole_number(1), 10**6),
        (whole_number(0), 0),
        (whole_number(1), np.int64(7)),
        (whole_number(1), np.uint8(7)),
        (share, 0.5),
        (share, 1e-9),
        (share, np.float32(0.25)),
        (not_negative, 0),
        (not_negative, 0.15),
        (not_negative, 3),
        (not_negative, np.float64(0.5)),
        (flag, True),
        (flag, False),
        (one_of("mean", "max"), "mean"),
        (one_of("mean", "max"), "max"),
    ],
)
def test_what_may_be_given_is_kept_as_it_is(check, value):
    assert given(check, value) is value


@pytest.mark.parametrize(
    ("check", "value", "error", "message"),
    [
        (whole_number(1), 0, ValueError, "option is 0; give 1 or more"),
        (whole_number(0), -1, ValueError, "option is -1; give 0 or more"),
        (whole_number(2), np.int64(1), ValueError, "option is 1; give 2 or more"),
        (whole_number(1), 2.0, TypeError, "option is 2.0; give a whole number"),
        (whole_number(1), "2", TypeError, "option is '2'; give a whole number"),
        (whole_number(1), None, TypeError, "option is None; give a whole number"),
        (whole_number(0), True, TypeError, "option is True; give a whole number"),
        (share, 0, ValueError, "option is 0; give a number between 0 and 1"),
        (share, 1, ValueError, "option is 1; give a number between 0 and 1"),
        (share, 1.5, ValueError, "option is 1.5; give a number between 0 and 1"),
        (share, -0.5, ValueError, "option is -0.5; give a number between 0 and 1"),
        (share, NAN, ValueError, "option is nan; give a number between 0 and 1"),
        (share, "half", TypeError, "option is 'half'; give a number"),
        (share, True, TypeError, "option is True; give a number"),
        (not_negative, -0.1, ValueError, "option is -0.1; give a finite number, 0 or more"),
        (not_negative, INF, ValueError, "option is inf; give a finite number, 0 or more"),
        (not_negative, NAN, ValueError, "option is nan; give a finite number, 0 or more"),
        (not_negative, None, TypeError, "option is None; give a number"),
        (not_negative, False, TypeError, "option is False; give a number"),
        (flag, "yes", TypeError, "option is 'yes'; give True or False"),
        (flag, 1, TypeError, "option is 1; give True or False"),
        (flag, None, TypeError, "option is None; give True or False"),
        (one_of("mean", "max"), "median", ValueError, "'median'; give one of 'mean', 'max'"),
        (one_of("mean", "max"), None, ValueError, "option is None; give one of 'mean', 'max'"),
    ],
)
def test_what_may_not_be_given_is_refused_and_what_would_do_is_named(check, value, error, message):
    with pytest.raises(error, match=message):
        given(check, value)
