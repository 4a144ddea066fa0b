"""Checks for operators, noise and solvers of your own: what every one of them has to do.

Each check raises AssertionError, in one line that says what was expected and what came. They need no test
framework:

    from restora.testing import check_operator

    def test_my_operator():
        check_operator(MyOperator(), (3, 12, 12))
"""

from restora.testing.noises import check_noise
from restora.testing.operators import check_operator
from restora.testing.solvers import check_solver

__all__ = ["check_noise", "check_operator", "check_solver"]
