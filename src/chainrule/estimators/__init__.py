"""The networks as scikit-learn estimators."""

from chainrule.estimators._classifier import FeedforwardClassifier as FeedforwardClassifier
from chainrule.estimators._persistence import load as load
from chainrule.estimators._regressor import FeedforwardRegressor as FeedforwardRegressor
