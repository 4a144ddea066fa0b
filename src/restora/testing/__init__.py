"""Checks for your own operators, noise models and solvers; those of restora pass the same checks.

Each check raises AssertionError with one line that says what was expected and what was found. The checks need
no test framework:

    from restora.testing import check_operator

    def test_my_operator():
        check_operator(MyOperator(), (3, 12, 12))
"""

from restora.testing.noises import check_noise
from restora.testing.operators import check_operator
from restora.testing.solvers import check_solver

__all__ = ["check_noise", "check_operator", "check_solver"]
