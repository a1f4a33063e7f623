"""The form through the output saves memory; the form through z saves the gradient."""

import numpy as np

import chainrule

z = np.array([1.0, 20.0, 60.0], dtype=np.float32)
one = np.ones_like(z)
sigmoid = chainrule.activation("1/(1 + exp(-z))")

print("from z:     ", sigmoid.backward(one, z))
print("from output:", sigmoid.backward_from_output(one, sigmoid(z)))
print(sigmoid.certify())
