"""Layers that rise with each unit and with what their units share."""
