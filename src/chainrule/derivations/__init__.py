"""What the mathematics says: computation graph, chain rule, simplification, forms."""

from chainrule.derivations._chain_rule import Step as Step
from chainrule.derivations._chain_rule import chain_rule as chain_rule
from chainrule.derivations._chain_rule import (
    derivative_in_variables as derivative_in_variables,
)
from chainrule.derivations._chain_rule import node_names as node_names
from chainrule.derivations._derivation import Derivation as Derivation
from chainrule.derivations._derivation import derive as derive
from chainrule.derivations._derivation import matrix_form as matrix_form
from chainrule.derivations._evaluate import evaluate as evaluate
from chainrule.derivations._evaluate import evaluate_layer as evaluate_layer
from chainrule.derivations._example import Example as Example
from chainrule.derivations._example import example as example
from chainrule.derivations._further_derivatives import ParameterDerivative as ParameterDerivative
from chainrule.derivations._further_derivatives import SecondDerivative as SecondDerivative
from chainrule.derivations._graph import UNIT_COUNT as UNIT_COUNT
from chainrule.derivations._graph import Graph as Graph
from chainrule.derivations._graph import GraphBuilder as GraphBuilder
from chainrule.derivations._graph import Node as Node
from chainrule.derivations._graph import computation_graph as computation_graph
from chainrule.derivations._values import NodeValues as NodeValues
from chainrule.derivations._values import node_values as node_values
from chainrule.derivations.algebra._arithmetic import rebuilt as rebuilt
from chainrule.derivations.algebra._field import Field as Field
from chainrule.derivations.algebra._field import Generator as Generator
from chainrule.derivations.algebra._field import NotInFieldError as NotInFieldError
from chainrule.derivations.by_parameters._derivative import by_parameter as by_parameter
from chainrule.derivations.costs._cost_derivation import CostDerivation as CostDerivation
from chainrule.derivations.costs._cost_derivation import batch_mean as batch_mean
from chainrule.derivations.costs._cost_derivation import derive_cost as derive_cost
from chainrule.derivations.costs._domain import undefined_output as undefined_output
from chainrule.derivations.costs._fusion import FusedGradient as FusedGradient
from chainrule.derivations.costs._fusion import fused_gradient as fused_gradient
from chainrule.derivations.layers._closed_form import closed_form as closed_form
from chainrule.derivations.layers._hessian import Hessian as Hessian
from chainrule.derivations.layers._kinks import LayerKink as LayerKink
from chainrule.derivations.layers._split import UnitGraph as UnitGraph
from chainrule.derivations.layers._split import is_splittable as is_splittable
from chainrule.derivations.layers._split import regrouped as regrouped
from chainrule.derivations.layers._split import unit_graph as unit_graph
from chainrule.derivations.layers._vector_jacobian import SEED as SEED
from chainrule.derivations.layers._vector_jacobian import backward_graph as backward_graph
from chainrule.derivations.limits_in_time._time_limit import TimeLimitError as TimeLimitError
from chainrule.derivations.limits_in_time._time_limit import in_time as in_time
from chainrule.derivations.limits_in_time._time_limit import is_time_up as is_time_up
from chainrule.derivations.limits_in_time._time_limit import time_budget as time_budget
from chainrule.derivations.limits_in_time._time_limit import time_limit as time_limit
from chainrule.derivations.output_forms._output_form import NoOutputForm as NoOutputForm
from chainrule.derivations.output_forms._output_form import OutputForm as OutputForm
from chainrule.derivations.output_forms._output_form import output_form as output_form
from chainrule.derivations.output_forms._through_output import (
    NoOutputFormError as NoOutputFormError,
)
from chainrule.derivations.output_forms._through_output import through_output as through_output
from chainrule.derivations.output_forms._witness import Witness as Witness
from chainrule.derivations.output_forms.signs._domain import has_no_value as has_no_value
from chainrule.derivations.pieces._branches import innermost_branching as innermost_branching
from chainrule.derivations.pieces._periods import PeriodicPieces as PeriodicPieces
from chainrule.derivations.pieces._periods import periodic_pieces as periodic_pieces
from chainrule.derivations.pieces._pieces import Breakpoint as Breakpoint
from chainrule.derivations.pieces._pieces import Piece as Piece
from chainrule.derivations.pieces._pieces import Pieces as Pieces
from chainrule.derivations.pieces._pieces import TooManyPiecesError as TooManyPiecesError
from chainrule.derivations.pieces._pieces import smooth_pieces as smooth_pieces
from chainrule.derivations.sections._elementwise import batch_form as batch_form
