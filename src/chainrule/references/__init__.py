"""What is true: values and derivatives of a formula in many digits, by no rule of the library."""

from chainrule.references._format import FORMATS as FORMATS
from chainrule.references._format import Format as Format
from chainrule.references._reference import Reference as Reference
from chainrule.references._truth import Truth as Truth
