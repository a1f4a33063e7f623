"""x"""
from chainrule.portraits._statement import Statement
def layer_statements(formula):
    return (Statement("portrait","no",False),)
