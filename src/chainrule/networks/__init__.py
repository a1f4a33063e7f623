"""Feedforward networks: initialisation, propagation, optimisers, training, files."""

from chainrule.networks._errors import DivergenceError as DivergenceError
from chainrule.networks._errors import InitialisationError as InitialisationError
from chainrule.networks._errors import ModelFileError as ModelFileError
from chainrule.networks._errors import NetworkError as NetworkError
from chainrule.networks._files import load_network as load_network
from chainrule.networks._files import save_network as save_network
from chainrule.networks._initialisation import gain as gain
from chainrule.networks._initialisation import initial_parameters as initial_parameters
from chainrule.networks._network import Network as Network
from chainrule.networks._network import biases_of as biases_of
from chainrule.networks._network import network as network
from chainrule.networks._network import propagation as propagation
from chainrule.networks._network import weights_of as weights_of
from chainrule.networks._optimisers import Adam as Adam
from chainrule.networks._optimisers import AdamW as AdamW
from chainrule.networks._optimisers import GradientDescent as GradientDescent
from chainrule.networks._optimisers import Muon as Muon
from chainrule.networks._optimisers import Optimiser as Optimiser
from chainrule.networks._optimisers import RMSprop as RMSprop
from chainrule.networks._propagation import gradient as gradient
from chainrule.networks._propagation import input_gradient as input_gradient
from chainrule.networks._propagation import propagate as propagate
from chainrule.networks._training import Training as Training
from chainrule.networks._training import train as train
from chainrule.networks._training import validation_split as validation_split
