"""What a derivation shows: sections of sentences, equations and figures."""
