"""Every named function, as data."""

from chainrule.catalogue._catalogue import CatalogueError as CatalogueError
from chainrule.catalogue._catalogue import Entry as Entry
from chainrule.catalogue._catalogue import Peer as Peer
from chainrule.catalogue._catalogue import activation_formula as activation_formula
from chainrule.catalogue._catalogue import activations as activations
from chainrule.catalogue._catalogue import assumption_on_targets as assumption_on_targets
from chainrule.catalogue._catalogue import cost_formula as cost_formula
from chainrule.catalogue._catalogue import costs as costs
from chainrule.catalogue._catalogue import domain_of_targets as domain_of_targets
from chainrule.catalogue._catalogue import entries_named as entries_named
