"""What a person wrote: text or SymPy, read into a `Formula`."""

from chainrule.formulas._errors import ChainruleError as ChainruleError
from chainrule.formulas._errors import FormulaError as FormulaError
from chainrule.formulas._errors import ParameterError as ParameterError
from chainrule.formulas._expression import COMPARISONS as COMPARISONS
from chainrule.formulas._expression import FUNCTIONS as FUNCTIONS
from chainrule.formulas._expression import REDUCTIONS as REDUCTIONS
from chainrule.formulas._expression import Apply as Apply
from chainrule.formulas._expression import Constant as Constant
from chainrule.formulas._expression import Expression as Expression
from chainrule.formulas._expression import Parameter as Parameter
from chainrule.formulas._expression import Pi as Pi
from chainrule.formulas._expression import Variable as Variable
from chainrule.formulas._expression import constant as constant
from chainrule.formulas._expression import is_layer_coupled as is_layer_coupled
from chainrule.formulas._expression import parameters_of as parameters_of
from chainrule.formulas._expression import subexpressions as subexpressions
from chainrule.formulas._expression import substitute as substitute
from chainrule.formulas._expression import variables_of as variables_of
from chainrule.formulas._formula import Formula as Formula
from chainrule.formulas._formula import apart as apart
from chainrule.formulas._formula import bind as bind
from chainrule.formulas._formula import parse as parse
from chainrule.formulas._names import is_plain_name as is_plain_name
from chainrule.formulas._text import exact_decimal as exact_decimal
from chainrule.formulas._text import to_text as to_text
