"""What a function looks like: range, monotone stretches, largest slope, gain, proved or not."""

from chainrule.portraits._portrait import Portrait as Portrait
from chainrule.portraits._portrait import portrait as portrait
from chainrule.portraits._statement import Statement as Statement
