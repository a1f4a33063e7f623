"""scikit-learn's own checks of its contract."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.estimators import FeedforwardClassifier, FeedforwardRegressor


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([FeedforwardClassifier(), FeedforwardRegressor()])
def test_estimator_keeps_the_contract(estimator, check):
    """Every check passes; none is expected to fail."""
    check(estimator)
