"""The compiled loops of training and prediction.

They are compiled once for each dtype and serve every architecture, activation, cost and optimiser,
because kernels are called by address and sizes are data.
"""

from chainrule.networks.compiled._batches import batch_gradient as batch_gradient
from chainrule.networks.compiled._batches import run_batches as run_batches
from chainrule.networks.compiled._batches import run_rows as run_rows
from chainrule.networks.compiled._batches import run_to_inputs as run_to_inputs
from chainrule.networks.compiled._batches import set_learned as set_learned
from chainrule.networks.compiled._muon import muon_scratch as muon_scratch
from chainrule.networks.compiled._muon import muon_step as muon_step
from chainrule.networks.compiled._normalisation import (
    normalise_by_statistics as normalise_by_statistics,
)
from chainrule.networks.compiled._normalisation import normalise_columns as normalise_columns
from chainrule.networks.compiled._normalisation import (
    through_normalisation as through_normalisation,
)
from chainrule.networks.compiled._products import PANEL_SIZE as PANEL_SIZE
from chainrule.networks.compiled._products import product_kernel as product_kernel
from chainrule.networks.compiled._team import new_team as new_team
from chainrule.networks.compiled._team import request_stop as request_stop
