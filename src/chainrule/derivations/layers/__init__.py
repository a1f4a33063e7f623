"""Layer-coupled calculus: vector–Jacobian products, closed forms, kinks, Hessians."""
