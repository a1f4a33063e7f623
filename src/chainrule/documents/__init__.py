"""What a person reads: sections of equations and figures, as text, LaTeX and HTML."""

from chainrule.documents._blocks import block_lines as block_lines
from chainrule.documents._content import Equation as Equation
from chainrule.documents._content import Figure as Figure
from chainrule.documents._content import Listing as Listing
from chainrule.documents._content import Section as Section
from chainrule.documents._content import Table as Table
from chainrule.documents._document import Document as Document
from chainrule.documents._document import Documented as Documented
from chainrule.documents._graph_picture import GraphNode as GraphNode
from chainrule.documents._graph_picture import graph_layout as graph_layout
from chainrule.documents._graph_picture import graph_picture as graph_picture
from chainrule.documents._html import page as page
from chainrule.documents._latex import latex_of as latex_of
from chainrule.documents._notation import equation as equation
from chainrule.documents._notation import inner_index as inner_index
from chainrule.documents._notation import is_negated as is_negated
from chainrule.documents._notation import partial as partial
from chainrule.documents._notation import partial_twice as partial_twice
from chainrule.documents._notation import reduction_over as reduction_over
from chainrule.documents._notation import symbol as symbol
from chainrule.documents._plot_picture import Curve as Curve
from chainrule.documents._plot_picture import plot_picture as plot_picture
from chainrule.documents._plot_picture import reach as reach
from chainrule.documents._text import text_of as text_of
