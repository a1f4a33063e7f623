"""How we know: kernels measured against a reference of many digits."""

from chainrule.certificates._certificate import Certificate as Certificate
from chainrule.certificates._certificate import Deviation as Deviation
from chainrule.certificates._certificate import Edge as Edge
from chainrule.certificates._certificate import GradientCheck as GradientCheck
from chainrule.certificates._certificate import Kink as Kink
from chainrule.certificates._cost import certify_cost as certify_cost
from chainrule.certificates._measure import certify as certify
from chainrule.certificates._sweep import Sweep as Sweep
from chainrule.certificates._sweep import Tally as Tally
from chainrule.certificates._sweep import sweep as sweep
from chainrule.certificates._ulp import CertificateError as CertificateError
