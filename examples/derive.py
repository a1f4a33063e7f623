"""Derive the backward pass of a formula of your own, and look at its steps."""

import chainrule

activation = chainrule.activation("where(z > 0, z, alpha*z/(1 - z))", alpha=0.5)
derivation = activation.derivation()
print(derivation)

# The same as LaTeX for a paper, and as a page that needs no network.
print(derivation.to_latex())
derivation.to_html("derivation.html")

# What a cost behind an output activation comes down to.
print(chainrule.cost("binary_cross_entropy").derivation("sigmoid"))
